//! Clients that ask as fast as they are answered, each prediction under an association id of its own, and remember
//! which of them were answered.

use crate::client::Client;
use crate::patience::wait_until;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

/// A refused client comes again after this.
const PAUSE: Duration = Duration::from_millis(5);

/// Load on a gateway.
#[derive(Debug)]
pub struct Load {
    clients: Vec<JoinHandle<()>>,
    answers: Arc<Mutex<Answers>>,
    enough: Arc<AtomicBool>,
}

/// What the clients were told.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// Association ids that were answered with 200, in the order of the answers.
    pub acknowledged: Vec<String>,
    /// Requests that were answered with anything else.
    pub refused: usize,
    /// The last such answer.
    pub refusal: Option<String>,
}

impl Load {
    /// Starts `clients` connections. `name` makes the association ids of this load different from all others.
    pub fn start(port: u16, clients: usize, name: &str) -> Self {
        Self::rows(port, clients, name, 1)
    }

    /// The same, with this many rows in each request.
    pub fn rows(port: u16, clients: usize, name: &str, rows: usize) -> Self {
        let answers = Arc::new(Mutex::new(Answers::default()));
        let enough = Arc::new(AtomicBool::new(false));
        let start = |number| {
            let (answers, enough) = (Arc::clone(&answers), Arc::clone(&enough));
            let name = format!("{name}-{number}");
            std::thread::spawn(move || ask(port, &name, rows, &answers, &enough))
        };
        Self { clients: (0..clients).map(start).collect(), answers, enough }
    }

    /// Waits until this many ids were acknowledged.
    pub fn wait_for(&self, count: usize) {
        wait_until("answers under load", || {
            (lock(&self.answers).acknowledged.len() >= count).then_some(())
        });
    }

    /// Waits until this many more ids were acknowledged than now.
    pub fn wait_for_more(&self, count: usize) {
        let before = lock(&self.answers).acknowledged.len();
        self.wait_for(before + count);
    }

    /// Waits until this many requests more than now were refused.
    pub fn wait_for_refusals(&self, count: usize) {
        let before = lock(&self.answers).refused;
        wait_until("refusals under load", || {
            (lock(&self.answers).refused >= before + count).then_some(())
        });
    }

    /// What the clients were told so far.
    pub fn so_far(&self) -> Answers {
        lock(&self.answers).clone()
    }

    /// Ends the load and gives what the clients were told. Clients also end by themselves when the gateway goes away.
    ///
    /// # Panics
    ///
    /// When a client panicked.
    pub fn finish(self) -> Answers {
        self.enough.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().expect("clients do not panic");
        }
        std::mem::take(&mut lock(&self.answers))
    }

    /// Ends the load and gives the association ids that were answered with 200.
    ///
    /// # Panics
    ///
    /// When a client was answered with anything else.
    pub fn end(self) -> Vec<String> {
        let answers = self.finish();
        assert_eq!(answers.refused, 0, "{:?}", answers.refusal);
        answers.acknowledged
    }
}

fn lock(answers: &Mutex<Answers>) -> MutexGuard<'_, Answers> {
    answers.lock().expect("no client panics")
}

fn ask(port: u16, name: &str, rows: usize, answers: &Mutex<Answers>, enough: &AtomicBool) {
    let (names, values): (Vec<&str>, Vec<&str>) =
        crate::fields(crate::README_ROW).into_iter().unzip();
    let (head, row) = (format!("{},associationId\n", names.join(",")), values.join(","));
    let Ok(mut client) = Client::connect(port) else { return };
    for number in (0..).step_by(rows) {
        if enough.load(Ordering::Relaxed) {
            return;
        }
        let ids: Vec<String> = (number..number + rows).map(|it| format!("{name}-{it}")).collect();
        let (kind, body) = match &*ids {
            [id] => {
                let body = format!("{}&associationId={id}", crate::README_ROW);
                ("application/x-www-form-urlencoded", body)
            }
            ids => {
                let lines = ids.iter().map(|id| format!("{row},{id}\n"));
                ("text/csv", lines.fold(head.clone(), |body, line| body + &line))
            }
        };
        let answer = client.send("POST", "/predict", &[("Content-Type", kind)], &body);
        let Ok(answer) = answer else { return };
        let mut answers = lock(answers);
        if answer.status == 200 {
            answers.acknowledged.extend(ids);
        } else {
            answers.refused += 1;
            answers.refusal = Some(answer.body);
            drop(answers);
            std::thread::sleep(PAUSE);
        }
    }
}
