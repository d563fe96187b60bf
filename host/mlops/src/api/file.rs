//! Calls that bring a file.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest as _, Multipart, Request};
use axum::http::header;

use super::Fault;

/// The name of the part of a form that has the file.
pub(super) const FILE: &str = "file";

/// The file of a request: its body, or the part of a form.
pub(super) async fn file(request: Request) -> Result<(String, Bytes), Fault> {
    let kind = request.headers().get(header::CONTENT_TYPE);
    let is_form = kind
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.starts_with("multipart/form-data"));
    if !is_form {
        let bytes: Result<_, BytesRejection> = Bytes::from_request(request, &()).await;
        let bytes = bytes?;
        if bytes.is_empty() {
            return Err(Fault::field(
                FILE,
                "is missing: the body, or a part of a form, is the file",
            ));
        }
        return Ok((FILE.to_owned(), bytes));
    }
    let unreadable = |status, text: String| Fault::new(status, text);
    let mut form = Multipart::from_request(request, &())
        .await
        .map_err(|error| unreadable(error.status(), error.body_text()))?;
    while let Some(part) =
        form.next_field().await.map_err(|error| unreadable(error.status(), error.body_text()))?
    {
        if part.name() == Some(FILE) {
            let name = part.file_name().unwrap_or(FILE).to_owned();
            let bytes = part.bytes().await;
            return Ok((
                name,
                bytes.map_err(|error| unreadable(error.status(), error.body_text()))?,
            ));
        }
    }
    Err(Fault::field(FILE, "is missing: a part of the form must have this name"))
}
