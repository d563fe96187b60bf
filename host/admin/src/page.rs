//! The status page: one document with its style and script in it, and a policy that lets it load nothing else.
//!
//! The page itself holds no data. Its script asks for `/api/v1/status`, with a token where one is needed, and writes what
//! comes as text, never as markup.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use hyper::{
    StatusCode,
    header::{CONTENT_SECURITY_POLICY, HeaderValue},
};
use sha2::{Digest as _, Sha256};

use crate::answer::{Answer, with_type};

const DOCUMENT: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/script.js");

/// The page, put together.
pub(crate) struct Page {
    document: Bytes,
    policy: Option<HeaderValue>,
}

impl Page {
    pub(crate) fn new() -> Self {
        let document = DOCUMENT.replacen("{style}", STYLE, 1).replacen("{script}", SCRIPT, 1);
        let policy = format!(
            "default-src 'none'; style-src '{}'; script-src '{}'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'",
            hash(STYLE),
            hash(SCRIPT)
        );
        Self { document: document.into(), policy: HeaderValue::from_str(&policy).ok() }
    }

    pub(crate) fn answer(&self) -> Answer {
        let mut answer =
            with_type(StatusCode::OK, "text/html; charset=utf-8", self.document.clone());
        if let Some(policy) = &self.policy {
            answer.headers_mut().insert(CONTENT_SECURITY_POLICY, policy.clone());
        }
        answer
    }
}

/// By what a policy knows a text between two tags.
fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_fits_what_stands_between_the_tags() {
        let page = Page::new();
        let document = String::from_utf8(page.document.to_vec()).unwrap();
        let policy = page.policy.unwrap();
        for tag in ["style", "script"] {
            let (_, rest) = document.split_once(&format!("<{tag}>")).unwrap();
            let (inner, rest) = rest.split_once(&format!("</{tag}>")).unwrap();
            assert!(policy.to_str().unwrap().contains(&hash(inner)), "{tag}");
            assert!(!rest.contains(&format!("<{tag}")), "there is one {tag}");
        }
    }

    #[test]
    fn the_page_brings_everything_and_writes_no_markup() {
        let document = String::from_utf8(Page::new().document.to_vec()).unwrap();
        for outside in ["http:", "https:", "src=", "@import", "url(", "style=\""] {
            assert!(!document.contains(outside), "{outside}");
        }
        for markup in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
            assert!(!SCRIPT.contains(markup), "{markup}");
        }
    }
}
