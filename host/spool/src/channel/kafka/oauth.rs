//! Tokens for `OAUTHBEARER`, out of a file that some other program renews.
//!
//! The client asks for a token when it starts and again before the old one runs out. What it is given is a JSON Web
//! Token; of its contents only the time at which it runs out and whom it names are looked at here. Whether it is
//! genuine is for the broker to say.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rdkafka::client::OAuthToken;

use crate::channel::secret::{Secret, SecretError};

/// A file with a token.
#[derive(Clone, Debug)]
pub(crate) struct TokenFile(pub(super) PathBuf);

/// There is no token to log in with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenError {
    /// The file cannot be used.
    #[error("sasl.token_file: {}", said(.0))]
    File(#[source] SecretError),
    /// There is no file.
    #[error("there is no sasl.token_file")]
    None,
    /// It holds something else.
    #[error("sasl.token_file: {} holds no JSON Web Token with a number `exp`", .0.display())]
    Form(PathBuf),
    /// Nobody renewed it.
    #[error("sasl.token_file: the token in {} ran out", .0.display())]
    Over(PathBuf),
}

#[derive(serde::Deserialize)]
struct Claims {
    /// Seconds of Unix time.
    exp: f64,
    #[serde(default)]
    sub: String,
}

impl TokenFile {
    /// The token that a client asks for; it may do so without having been told of a file.
    pub(crate) fn token_of(file: Option<&Self>) -> Result<OAuthToken, TokenError> {
        file.ok_or(TokenError::None)?.token()
    }

    /// Reads the token that is there now.
    pub(crate) fn token(&self) -> Result<OAuthToken, TokenError> {
        let file = || self.0.clone();
        let token = Secret::read(&self.0).map_err(TokenError::File)?;
        let claims = claims(token.reveal()).ok_or_else(|| TokenError::Form(file()))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        if claims.exp <= now.as_secs_f64() {
            return Err(TokenError::Over(file()));
        }
        Ok(OAuthToken {
            token: token.reveal().to_owned(),
            principal_name: claims.sub,
            lifetime_ms: (claims.exp * 1000.0) as i64,
        })
    }
}

fn claims(token: &str) -> Option<Claims> {
    let mut parts = token.split('.');
    let (_header, claims, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    (claims.exp.is_finite() && !claims.sub.contains('\0')).then_some(claims)
}

/// The error with what is behind it: the client passes on only one text.
fn said(error: &SecretError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    /// A token that nobody signed.
    pub(in crate::channel::kafka) fn unsecured(claims: &serde_json::Value) -> String {
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.", part(&serde_json::json!({"alg": "none"})), part(claims))
    }

    pub(in crate::channel::kafka) fn write(path: &Path, token: &str) {
        std::fs::write(path, token).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    #[test]
    fn a_token_tells_when_it_runs_out_and_whom_it_names() {
        let dir = tempfile::tempdir().unwrap();
        let file = TokenFile(dir.path().join("token"));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let claims = serde_json::json!({"sub": "gateway-7", "exp": now + 60, "iat": now});
        write(&file.0, &(unsecured(&claims) + "\n"));
        let token = file.token().unwrap();
        assert_eq!(token.token, unsecured(&claims));
        assert_eq!(token.principal_name, "gateway-7");
        assert_eq!(token.lifetime_ms, (now as i64 + 60) * 1000);
        // The file is read anew each time.
        write(
            &file.0,
            &unsecured(&serde_json::json!({"sub": "gateway-8", "exp": now as f64 + 90.5})),
        );
        assert_eq!(file.token().unwrap().principal_name, "gateway-8");
    }

    #[test]
    fn what_is_no_token_is_named_without_its_text() {
        let dir = tempfile::tempdir().unwrap();
        let file = TokenFile(dir.path().join("token"));
        let says = |file: &TokenFile| file.token().map(drop).unwrap_err().to_string();
        assert!(says(&file).contains("No such file"), "{}", says(&file));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let over = unsecured(&serde_json::json!({"exp": now, "sub": "canary"}));
        let timeless = unsecured(&serde_json::json!({"sub": "canary"}));
        let cases = [
            (over.as_str(), "ran out"),
            (timeless.as_str(), "`exp`"),
            ("canary", "no JSON Web Token"),
            ("a.canary.", "no JSON Web Token"),
            ("a.b.c.canary", "no JSON Web Token"),
        ];
        for (token, word) in cases {
            write(&file.0, token);
            assert!(says(&file).contains(word), "{token}: {}", says(&file));
            assert!(!says(&file).contains("canary"), "{}", says(&file));
        }
    }
}
