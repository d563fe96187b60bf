//! Clients that ask as fast as they are answered, each prediction under an association id of its own, and remember
//! which of them were answered.

use crate::client::Client;
use crate::patience::wait_until;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// Load on a gateway.
#[derive(Debug)]
pub struct Load {
    clients: Vec<JoinHandle<()>>,
    answered: Arc<Mutex<Vec<String>>>,
    enough: Arc<AtomicBool>,
}

impl Load {
    /// Starts `clients` connections. `name` makes the association ids of this load different from all others.
    pub fn start(port: u16, clients: usize, name: &str) -> Self {
        let answered = Arc::new(Mutex::new(Vec::new()));
        let enough = Arc::new(AtomicBool::new(false));
        let start = |number| {
            let (answered, enough) = (Arc::clone(&answered), Arc::clone(&enough));
            let name = format!("{name}-{number}");
            std::thread::spawn(move || ask(port, &name, &answered, &enough))
        };
        Self { clients: (0..clients).map(start).collect(), answered, enough }
    }

    /// Waits until this many were answered.
    pub fn wait_for(&self, count: usize) {
        wait_until("answers under load", || {
            (self.answered.lock().expect("no client panics").len() >= count).then_some(())
        });
    }

    /// Ends the load and gives the association ids that were answered with 200. Clients also end by themselves when
    /// the gateway goes away.
    ///
    /// # Panics
    ///
    /// When a client was answered with anything else.
    pub fn end(self) -> Vec<String> {
        self.enough.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().expect("each answer is a 200");
        }
        std::mem::take(&mut self.answered.lock().expect("no client panics"))
    }
}

fn ask(port: u16, name: &str, answered: &Mutex<Vec<String>>, enough: &AtomicBool) {
    let form_type = [("Content-Type", "application/x-www-form-urlencoded")];
    let Ok(mut client) = Client::connect(port) else { return };
    for number in 0.. {
        if enough.load(Ordering::Relaxed) {
            return;
        }
        let id = format!("{name}-{number}");
        let body = format!("{}&associationId={id}", crate::README_ROW);
        let Ok(answer) = client.send("POST", "/predict", &form_type, &body) else { return };
        assert_eq!(answer.status, 200, "{}", answer.body);
        answered.lock().expect("no client panics").push(id);
    }
}
