//! HTTP for operators: what the deployments do, and changes of them.
//!
//! # Constraints
//!
//! * It listens where only this machine can come: on a Unix socket, or on a loopback address. Nothing else is bound.
//! * Nobody changes anything without a name: that of a token, or the user id of whoever has connected to the socket.
//!   The name goes into the line that each change leaves.
//! * A page in somebody's browser cannot reach it: a request that names another host than this machine is refused, and so
//!   is a change that comes from another page.
//! * A change that has begun is carried to its end, also when the client goes away.
//!
//! # Operation
//!
//! [`Listener::bind`] takes the address (`listen`), [`serve`] answers until it is told to stop (`server`). A request is
//! let in or refused (`guard`, `tokens`), finds its route in the one table that there is (`routes`), and becomes a call of
//! the fleet ([`Operate`]) on a thread that may wait (`act`). The table is also what the OpenAPI document is held
//! against (`openapi`). `page` is the status page.
//!
//! # Failure
//!
//! Everything that is refused is told as a problem (RFC 9457); `problem` alone has their statuses and types. Everything
//! that can grow has a limit with a name ([`AdminSettings`]). A failed log-in is counted and logged without the token.

mod act;
mod answer;
mod body;
mod guard;
mod listen;
mod openapi;
mod operate;
mod page;
mod problem;
mod routes;
mod server;
mod settings;
mod tokens;

pub use listen::{BindError, Listener};
pub use operate::Operate;
pub use server::{Hooks, SetLog, serve};
pub use settings::{AdminSettings, Listen, ListenError};
pub use tokens::{Scope, TOKEN_CHARS_MIN, Token, TokenError, Tokens};

#[cfg(test)]
mod tests;
