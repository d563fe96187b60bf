//! One connection: hyper's, under a watch that hyper does not keep.
//!
//! hyper's own time-out for heads also runs while a kept connection is quiet, so that one number would have to be short
//! against slow heads and long for kept connections; and it has none for a client that does not take its answer. So the
//! stream notes what happens on it, and the watch ends the connection when nothing has happened for too long:
//!
//! | state | ends after |
//! |---|---|
//! | a head has begun, or the connection is new | header time |
//! | quiet between two requests | idle time |
//! | an answer is being written and no byte of it is taken | write stall time |
//! | a request is being answered | never: reading the body and scoring have their own limits |
//!
//! One timer a connection, touched only when a deadline comes nearer or passes: a request costs a few relaxed stores.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep},
};

use crate::{metrics::Closed, settings::GatewaySettings};

/// A new connection, or the head of a request has begun.
const HEAD: u8 = 0;
/// Between two requests.
const QUIET: u8 = 1;
/// A request is being answered.
const BUSY: u8 = 2;

/// What happens on a connection, shared by its stream, its requests and its watch. They are all polled by
/// one task, so relaxed atomics do.
#[derive(Debug)]
pub(crate) struct Pulse {
    start: Instant,
    state: AtomicU8,
    /// Since when, in milliseconds after `start`.
    since: AtomicU64,
    /// Since when a write waits, in milliseconds after `start`, plus 1; 0 when none does.
    stalled: AtomicU64,
}

/// A request being answered.
#[derive(Debug)]
pub(crate) struct Busy(Arc<Pulse>);

/// A stream that notes what happens on it.
#[derive(Debug)]
pub(crate) struct Stream {
    inner: TcpStream,
    pulse: Arc<Pulse>,
}

/// A connection under watch.
pub(crate) struct Watched<C> {
    connection: Pin<Box<C>>,
    pulse: Arc<Pulse>,
    limits: Limits,
    timer: Pin<Box<Sleep>>,
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    header: Duration,
    idle: Duration,
    stall: Duration,
}

/// How a connection ended.
pub(crate) enum Ended<T> {
    Itself(T),
    Late(Closed),
}

impl Pulse {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            state: AtomicU8::new(HEAD),
            since: AtomicU64::new(0),
            stalled: AtomicU64::new(0),
        }
    }

    pub(crate) fn busy(self: &Arc<Self>) -> Busy {
        self.state.store(BUSY, Relaxed);
        Busy(Arc::clone(self))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn enter(&self, state: u8) {
        self.since.store(self.now(), Relaxed);
        self.state.store(state, Relaxed);
    }

    fn has_read(&self) {
        if self.state.load(Relaxed) == QUIET {
            self.enter(HEAD);
        }
    }

    fn has_written(&self) {
        if self.stalled.load(Relaxed) == 0 {
            return;
        }
        self.stalled.store(0, Relaxed);
        // A long answer on its slow way is not a quiet connection.
        if self.state.load(Relaxed) == QUIET {
            self.since.store(self.now(), Relaxed);
        }
    }

    fn waits_to_write(&self) {
        if self.stalled.load(Relaxed) == 0 {
            self.stalled.store(self.now() + 1, Relaxed);
        }
    }

    /// When this connection is to end if nothing happens, and why.
    fn deadline(&self, limits: Limits) -> Option<(Instant, Closed)> {
        let after = |ms: u64, limit| self.start + Duration::from_millis(ms) + limit;
        let stalled = self.stalled.load(Relaxed);
        if stalled > 0 {
            return Some((after(stalled - 1, limits.stall), Closed::Stalled));
        }
        let since = self.since.load(Relaxed);
        match self.state.load(Relaxed) {
            HEAD => Some((after(since, limits.header), Closed::SlowHead)),
            QUIET => Some((after(since, limits.idle), Closed::Idle)),
            _ => None,
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.enter(QUIET);
    }
}

impl Stream {
    pub(crate) fn new(inner: TcpStream, pulse: Arc<Pulse>) -> Self {
        Self { inner, pulse }
    }

    fn wrote(&self, done: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match done {
            Poll::Pending => self.pulse.waits_to_write(),
            Poll::Ready(_) => self.pulse.has_written(),
        }
        done
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let done = Pin::new(&mut self.inner).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.pulse.has_read();
        }
        done
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.wrote(done)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.wrote(done)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl<C> Watched<C> {
    pub(crate) fn new(connection: C, pulse: Arc<Pulse>, settings: &GatewaySettings) -> Self {
        let limits = Limits {
            header: settings.header_time,
            idle: settings.idle_time,
            stall: settings.write_stall_time,
        };
        let timer = Box::pin(tokio::time::sleep(limits.header));
        Self { connection: Box::pin(connection), pulse, limits, timer }
    }
}

impl<C: Future> Future for Watched<C> {
    type Output = Ended<C::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Poll::Ready(done) = this.connection.as_mut().poll(cx) {
            return Poll::Ready(Ended::Itself(done));
        }
        loop {
            let deadline = this.pulse.deadline(this.limits);
            if let Some((at, _)) = deadline
                && at < this.timer.deadline()
            {
                this.timer.as_mut().reset(at);
            }
            if this.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            match deadline {
                Some((at, why)) if at <= Instant::now() => return Poll::Ready(Ended::Late(why)),
                Some((at, _)) => this.timer.as_mut().reset(at),
                // A request is being answered: look again when the shortest limit could have passed.
                None => this.timer.as_mut().reset(Instant::now() + this.limits.header),
            }
        }
    }
}
