//! What the gateway is measured against: hyper with nothing around it, on the same runtime and with the same accept
//! loop. It parses the same form into numbers and answers a constant.
//!
//!     cargo run --release -p gateway --example bare -- 127.0.0.1:9092

use std::{convert::Infallible, error::Error, hint::black_box};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request, Response,
    body::{Body, Incoming},
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

const ANSWER: &[u8] = br#"{"requestId":"0123456789abcdef-1","target":"Y","predictions":[{"rowId":0,"associationId":"0123456789abcdef-1","prediction":46.277198918661}]}"#;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9092".to_owned());
    let listener = TcpListener::bind(&address).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            let service = service_fn(answer);
            // A client that goes away is no news here.
            drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let query = request.uri().query().map(str::to_owned);
    let mut body = request.into_body();
    let mut text = query.unwrap_or_default().into_bytes();
    while let Some(Ok(frame)) =
        std::future::poll_fn(|cx| std::pin::Pin::new(&mut body).poll_frame(cx)).await
    {
        if let Ok(data) = frame.into_data() {
            text.extend_from_slice(&data);
        }
    }
    let numbers: Vec<f64> =
        form_urlencoded::parse(&text).map(|(_, value)| value.parse().unwrap_or(f64::NAN)).collect();
    black_box(numbers);
    let mut answer = Response::new(Full::new(Bytes::from_static(ANSWER)));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(answer)
}
