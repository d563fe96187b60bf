//! Who may come, and what they may do.
//!
//! Kept and compared are digests of tokens, all of them each time and in constant time, so that the time of an answer
//! tells nothing about a token, nor about which one is near.

use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

/// Characters that a token has at least: 96 bits of `openssl rand -hex`.
pub const TOKEN_CHARS_MIN: usize = 24;

/// What somebody may do. Each may what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Look.
    Read,
    /// Put packages in and out.
    Deploy,
    /// Remove deployments, drain, change the log.
    Admin,
}

/// A token's name and scope, and what it is known by.
#[derive(Clone, Debug)]
pub struct Token {
    name: String,
    scope: Scope,
    digest: [u8; 32],
}

/// All tokens.
#[derive(Clone, Debug, Default)]
pub struct Tokens(Vec<Token>);

/// A token that is not taken.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TokenError {
    /// The name does not fit into a line of the log.
    #[error("the name {0:?} of a token must be 1 to 64 of A-Z a-z 0-9 . _ - @")]
    Name(String),
    /// The token can be guessed.
    #[error(
        "the token {0:?} has fewer than {TOKEN_CHARS_MIN} characters: make one with openssl rand -hex 32"
    )]
    Short(String),
    /// The token does not fit into a header.
    #[error(
        "the token {0:?} has characters that no header carries: make one with openssl rand -hex 32"
    )]
    Characters(String),
    /// Two have a name, or are the same.
    #[error("the tokens {0:?} and {1:?} have the same name or the same text")]
    Twice(String, String),
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 3] = [Self::Read, Self::Deploy, Self::Admin];

    /// Its word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Deploy => "deploy",
            Self::Admin => "admin",
        }
    }
}

impl Token {
    /// A token by its text, which is not kept.
    ///
    /// # Errors
    ///
    /// When the name or the text will not do.
    pub fn new(name: &str, scope: Scope, text: &str) -> Result<Self, TokenError> {
        let in_names = |c: char| c.is_ascii_alphanumeric() || "._-@".contains(c);
        if name.is_empty() || name.len() > 64 || !name.chars().all(in_names) {
            return Err(TokenError::Name(name.to_owned()));
        }
        if text.len() < TOKEN_CHARS_MIN {
            return Err(TokenError::Short(name.to_owned()));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::Characters(name.to_owned()));
        }
        Ok(Self { name: name.to_owned(), scope, digest: digest(text.as_bytes()) })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn scope(&self) -> Scope {
        self.scope
    }
}

impl Tokens {
    /// All tokens together.
    ///
    /// # Errors
    ///
    /// When two have the same name or the same text: then a log would name the wrong one.
    pub fn new(tokens: Vec<Token>) -> Result<Self, TokenError> {
        for (at, one) in tokens.iter().enumerate() {
            let same = |other: &&Token| other.name == one.name || other.digest == one.digest;
            if let Some(other) = tokens[..at].iter().find(same) {
                return Err(TokenError::Twice(other.name.clone(), one.name.clone()));
            }
        }
        Ok(Self(tokens))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The token with this text.
    pub(crate) fn find(&self, text: &[u8]) -> Option<&Token> {
        let given = digest(text);
        let mut found = 0_u32;
        for (token, number) in self.0.iter().zip(1..) {
            let same: Choice = token.digest.ct_eq(&given);
            found.conditional_assign(&number, same);
        }
        self.0.get((found as usize).checked_sub(1)?)
    }
}

fn digest(text: &[u8]) -> [u8; 32] {
    Sha256::digest(text).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXTS: [&str; 3] =
        ["aaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbbbb", "cccccccccccccccccccccccc"];

    #[test]
    fn each_token_is_found_by_its_text_alone() {
        let tokens = TEXTS
            .iter()
            .zip(Scope::ALL)
            .map(|(text, scope)| Token::new(scope.as_str(), scope, text).unwrap());
        let tokens = Tokens::new(tokens.collect()).unwrap();
        for (text, scope) in TEXTS.iter().zip(Scope::ALL) {
            let token = tokens.find(text.as_bytes()).unwrap();
            assert_eq!((token.name(), token.scope()), (scope.as_str(), scope));
        }
        let almost =
            [&TEXTS[0][1..], "", "read", "aaaaaaaaaaaaaaaaaaaaaaab", "aaaaaaaaaaaaaaaaaaaaaaaaa"];
        assert!(almost.iter().all(|text| tokens.find(text.as_bytes()).is_none()));
        assert!(Tokens::default().find(b"").is_none());
        assert!(!format!("{tokens:?}").contains(TEXTS[0]));
    }

    #[test]
    fn tokens_that_will_not_do_are_named() {
        let short = "x".repeat(TOKEN_CHARS_MIN - 1);
        fn token(name: &str, text: &str) -> Result<Token, TokenError> {
            Token::new(name, Scope::Read, text)
        }
        assert!(token("ci", &"x".repeat(TOKEN_CHARS_MIN)).is_ok());
        assert_eq!(token("ci", &short).unwrap_err(), TokenError::Short("ci".into()));
        let spaced = format!("{short} {short}");
        assert_eq!(token("ci", &spaced).unwrap_err(), TokenError::Characters("ci".into()));
        for name in ["", "two words", "new\nline", "uid:0", &"n".repeat(65)] {
            assert_eq!(token(name, TEXTS[0]).unwrap_err(), TokenError::Name(name.into()));
        }
        for (name, text) in [("a", TEXTS[1]), ("b", TEXTS[0])] {
            let two = vec![token("a", TEXTS[0]).unwrap(), token(name, text).unwrap()];
            assert_eq!(Tokens::new(two).unwrap_err(), TokenError::Twice("a".into(), name.into()));
        }
    }
}
