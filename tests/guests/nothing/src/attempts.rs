//! What the package tries. The story runs the same code outside the sandbox too, where every attempt gets something;
//! else an attempt that never works would prove nothing.

use std::hash::{BuildHasher as _, RandomState};
use std::net::{TcpListener, TcpStream, ToSocketAddrs as _, UdpSocket};
use std::time::SystemTime;

/// What is tried, by number.
pub(crate) const ATTEMPTS: [&str; 12] = [
    "read a file",
    "write a file",
    "list a folder",
    "list the working folder",
    "read the environment",
    "read the arguments",
    "connect by TCP",
    "listen by TCP",
    "send by UDP",
    "look up a name",
    "start a thread",
    "learn the date",
];

/// How much the attempt got; nothing is 0. On `port` somebody listens.
pub(crate) fn attempt(number: usize, port: u16) -> usize {
    match ATTEMPTS.get(number).copied().unwrap_or_default() {
        "read a file" => std::fs::read("/etc/passwd").map_or(0, |bytes| bytes.len()),
        "write a file" => {
            let path = "/tmp/outpost-attempt";
            let written = std::fs::write(path, "x").is_ok();
            drop(std::fs::remove_file(path));
            usize::from(written)
        }
        "list a folder" => std::fs::read_dir("/").map_or(0, Iterator::count),
        "list the working folder" => std::fs::read_dir(".").map_or(0, Iterator::count),
        "read the environment" => std::env::vars_os().count(),
        "read the arguments" => std::env::args_os().count(),
        "connect by TCP" => usize::from(TcpStream::connect(("127.0.0.1", port)).is_ok()),
        "listen by TCP" => usize::from(TcpListener::bind("127.0.0.1:0").is_ok()),
        "send by UDP" => {
            let socket = UdpSocket::bind("127.0.0.1:0");
            socket.and_then(|it| it.send_to(b"x", ("127.0.0.1", port))).unwrap_or(0)
        }
        "look up a name" => ("localhost", port).to_socket_addrs().map_or(0, Iterator::count),
        "start a thread" => usize::from(std::thread::Builder::new().spawn(|| ()).is_ok()),
        "learn the date" => {
            let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            since.map_or(0, |it| it.as_secs() as usize)
        }
        _ => 0,
    }
}

/// What a random number makes of 0.
pub(crate) fn draw() -> usize {
    RandomState::new().hash_one(0) as u32 as usize
}
