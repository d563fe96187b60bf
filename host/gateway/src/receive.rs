//! Receiving what a request has to say: from its query or its body, one of the two, within its limits.

use hyper::{
    Method,
    body::{Body as _, Incoming},
    http::request::Parts,
};

use crate::{body, door::Door, fault::Fault, source::Source, state::State};

/// Reads what was sent, unless something is wrong with it already. A client that is refused may finish writing.
pub(crate) async fn receive(
    state: &State,
    parts: Parts,
    mut body: Incoming,
    wrong: Option<Fault>,
) -> Result<Source, Fault> {
    let received = match wrong {
        Some(fault) => Err(fault),
        None => read(state, parts, &mut body).await,
    };
    if let Err(fault) = &received
        && !body.is_end_stream()
        && !matches!(fault, Fault::BodyTooSlow | Fault::BodyBroken(_))
    {
        tokio::spawn(body::linger(body));
    }
    received
}

async fn read(state: &State, parts: Parts, body: &mut Incoming) -> Result<Source, Fault> {
    let settings = &state.settings;
    let query = parts.uri.query().is_some_and(|query| !query.is_empty());
    let get = parts.method == Method::GET;
    if !body.is_end_stream() {
        // Where the length is announced, what is wrong with the head is said before the body is read.
        let announced = body.size_hint().lower() > 0;
        let door = Door::of(&parts.headers).map_err(Fault::Media);
        if announced && query {
            return Err(Fault::QueryAndBody);
        }
        if announced && let Err(fault) = door {
            return Err(fault);
        }
        let time = settings.body_time.min(settings.request_time);
        let read = body::read(body, settings.body_bytes, time, &state.crowd).await?;
        if !read.bytes.is_empty() {
            return if query { Err(Fault::QueryAndBody) } else { Ok(Source::Body(door?, read)) };
        }
    }
    match parts.uri.into_parts().path_and_query {
        Some(path_and_query) if query => Ok(Source::Query(path_and_query)),
        _ => Err(Fault::Nothing { get }),
    }
}
