//! A handler with its method and what it says of itself, so that the list of routes is all that the document needs.

use std::sync::Arc;

use axum::handler::Handler;
use axum::routing::{self, MethodRouter};

use super::App;
use super::describe::{self, Schemas, Told};

/// A handler at a path.
#[derive(Clone, Debug)]
pub(super) struct Served {
    /// Its method, as the document has it.
    pub(super) method: &'static str,
    pub(super) route: MethodRouter<Arc<App>>,
    /// What its types say.
    pub(super) tell: fn(&mut Schemas) -> Told,
    /// What it answers when it is done.
    pub(super) status: u16,
    /// What it is for.
    pub(super) summary: &'static str,
}

impl Served {
    /// For the document: what it answers when it is done, and what it is for.
    pub(super) fn told(self, status: u16, summary: &'static str) -> Self {
        Self { status, summary, ..self }
    }
}

macro_rules! methods {
    ($($method:ident),+) => {
        $(pub(super) fn $method<H, Extracted, Arguments>(handler: H) -> Served
        where
            H: Handler<Extracted, Arc<App>> + describe::Handler<Arguments>,
            Extracted: 'static,
        {
            let method = stringify!($method);
            Served { method, route: routing::$method(handler), tell: H::tell, status: 200, summary: "" }
        })+
    };
}
methods!(delete, get, patch, post, put);
