//! The door: a call is made with a token, and the token's role is enough for it.

use std::pin::Pin;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{FromFnLayer, Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use crate::tokens::{Role, Tokens};

/// Whom a route lets in.
#[derive(Clone, Debug)]
pub(crate) struct Need {
    tokens: Arc<Tokens>,
    role: Role,
}

type Checked = Pin<Box<dyn Future<Output = Response> + Send>>;
type Check = fn(State<Need>, Request, Next) -> Checked;

/// A layer for the routes that need this role at least. The role that the caller has is put into the request.
pub(crate) fn require(
    tokens: Arc<Tokens>,
    role: Role,
) -> FromFnLayer<Check, Need, (State<Need>, Request)> {
    from_fn_with_state(Need { tokens, role }, check as Check)
}

fn check(State(need): State<Need>, mut request: Request, next: Next) -> Checked {
    Box::pin(async move {
        match need.admit(request.headers()) {
            Ok(role) => {
                request.extensions_mut().insert(role);
                next.run(request).await
            }
            Err(refusal) => *refusal,
        }
    })
}

impl Need {
    fn admit(&self, headers: &HeaderMap) -> Result<Role, Box<Response>> {
        let role = token(headers).and_then(|token| self.tokens.role(token));
        match role {
            Some(role) if role >= self.role => Ok(role),
            Some(role) => {
                let message = format!(
                    "this token's role is {}, and the call needs {}",
                    role.name(),
                    self.role.name()
                );
                let body = Json(json!({ "message": message }));
                Err(Box::new((StatusCode::FORBIDDEN, body).into_response()))
            }
            // The client looks for the words "Invalid Authorization header".
            None => {
                let message =
                    "Invalid Authorization header: it must be Bearer and a token of this server";
                let body = Json(json!({ "message": message }));
                let mut answer = (StatusCode::UNAUTHORIZED, body).into_response();
                answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                Err(Box::new(answer))
            }
        }
    }
}

/// What stands before a token. Clients of the service have either word.
const SCHEMES: [&[u8]; 2] = [b"Bearer", b"Token"];

/// The token of a request. Some clients put more than one blank before it.
fn token(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (value, None) = (values.next()?.as_bytes(), values.next()) else { return None };
    let (scheme, token) = value.split_at(value.iter().position(|byte| *byte == b' ')?);
    let token = token.trim_ascii();
    let is_known = SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known));
    (is_known && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> (tempfile::TempDir, Arc<Tokens>, [String; 3]) {
        let folder = tempfile::tempdir().unwrap();
        let tokens = Arc::new(Tokens::open(folder.path()).unwrap());
        let text = std::fs::read_to_string(tokens.path()).unwrap();
        let of = |role: Role| {
            let line = text.lines().find(|line| line.starts_with(role.name())).unwrap();
            line.split('"').nth(1).unwrap().to_owned()
        };
        (folder, tokens, Role::ALL.map(of))
    }

    fn headers(values: &[&str]) -> HeaderMap {
        let value = |value: &&str| (AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        values.iter().map(value).collect()
    }

    #[test]
    fn each_role_does_what_those_before_it_do() {
        let (_folder, tokens, texts) = tokens();
        for need in Role::ALL {
            for (role, text) in Role::ALL.into_iter().zip(&texts) {
                let door = Need { tokens: Arc::clone(&tokens), role: need };
                let admitted = door.admit(&headers(&[&format!("Bearer {text}")]));
                match admitted {
                    Ok(as_role) => assert!(as_role == role && role >= need),
                    Err(answer) => {
                        assert!(answer.status() == StatusCode::FORBIDDEN && role < need);
                    }
                }
            }
        }
    }

    #[test]
    fn blanks_and_case_do_not_matter_and_anything_else_does() {
        let (_folder, tokens, [read, ..]) = tokens();
        let need = Need { tokens, role: Role::Read };
        for value in [
            format!("Bearer {read}"),
            format!("Bearer   {read}"),
            format!("bearer {read} "),
            format!("Token {read}"),
        ] {
            assert_eq!(need.admit(&headers(&[&value])).unwrap(), Role::Read, "{value}");
        }
        let good = format!("Bearer {read}");
        let wrong: [&[&str]; 8] = [
            &[],
            &[""],
            &["Bearer"],
            &["Bearer "],
            &[&read],
            &[&format!("Bearer{read}")],
            &[&format!("Basic {read}")],
            &[&good, &good],
        ];
        for values in wrong {
            let answer = need.admit(&headers(values)).unwrap_err();
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{values:?}");
            assert_eq!(answer.headers()[WWW_AUTHENTICATE], "Bearer");
        }
    }
}
