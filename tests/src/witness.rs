//! Clients that ask as fast as they are answered, and keep what they were told: which number, and by which model.

use crate::client::Client;
use crate::patience::wait_until;
use crate::records::Envelope;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Load that remembers every answer.
#[derive(Debug)]
pub struct Witness {
    clients: Vec<JoinHandle<()>>,
    told: Arc<Mutex<Told>>,
    enough: Arc<AtomicBool>,
}

/// What the clients were told.
#[derive(Debug, Default)]
pub struct Told {
    /// Prediction and model digest, by association id.
    pub answers: HashMap<String, (f64, String)>,
    /// Everything else that they were told, whole.
    pub failures: Vec<String>,
    /// How long each request took.
    pub times: Vec<Duration>,
}

impl Witness {
    /// Starts `clients` connections that send `form` to `target`. `name` makes the association ids of this load different
    /// from all others.
    pub fn start(port: u16, target: &str, form: &str, clients: usize, name: &str) -> Self {
        let told = Arc::new(Mutex::new(Told::default()));
        let enough = Arc::new(AtomicBool::new(false));
        let start = |number| {
            let (told, enough) = (Arc::clone(&told), Arc::clone(&enough));
            let (name, target, form) =
                (format!("{name}-{number}"), target.to_owned(), form.to_owned());
            std::thread::spawn(move || ask(port, &target, &form, &name, &told, &enough))
        };
        Self { clients: (0..clients).map(start).collect(), told, enough }
    }

    /// Waits until this many more requests than now were answered.
    pub fn wait_for_more(&self, count: usize) {
        let wanted = lock(&self.told).answers.len() + count;
        wait_until("answers under load", || {
            (lock(&self.told).answers.len() >= wanted).then_some(())
        });
    }

    /// Waits until somebody was answered by the model with this digest.
    pub fn wait_for_model(&self, digest: &str) {
        wait_until("an answer of a model", || {
            let told = lock(&self.told);
            told.answers.values().any(|(_, by)| by == digest).then_some(())
        });
    }

    /// Ends the load.
    ///
    /// # Panics
    ///
    /// When a client panicked.
    pub fn finish(self) -> Told {
        self.enough.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().expect("clients do not panic");
        }
        std::mem::take(&mut lock(&self.told))
    }
}

impl Told {
    /// Holds every answer against what each model says, and every record against its answer.
    ///
    /// # Panics
    ///
    /// When a request failed, a number is not that of the model whose digest came with it, or a record is missing or tells
    /// another number or digest than its answer.
    #[track_caller]
    pub fn agree(&self, models: &[(&str, f64)], records: &[Envelope]) {
        assert!(self.failures.is_empty(), "{:?}", self.failures.first());
        for (id, (number, digest)) in &self.answers {
            let of = models.iter().find(|(model, _)| model == digest);
            let (_, says) = of.unwrap_or_else(|| panic!("{id} was answered by {digest}"));
            assert_eq!(number, says, "{id} by {digest}");
        }
        let mut recorded = HashMap::new();
        for record in records.iter().filter(|record| record.is("PREDICTIONS_DATA")) {
            if record.role.as_deref() == Some("challenger") {
                continue;
            }
            let digest = record.model_digest.clone().expect("a record names its model");
            let numbers = record.data["predictions"].as_array().expect("predictions");
            for (id, number) in record.associations().into_iter().zip(numbers) {
                recorded.insert(id, (number.as_f64().expect("a number"), digest.clone()));
            }
        }
        for (id, answer) in &self.answers {
            assert_eq!(recorded.get(id), Some(answer), "the record of {id}");
        }
    }
}

fn lock(told: &Mutex<Told>) -> MutexGuard<'_, Told> {
    told.lock().expect("no client panics")
}

fn ask(port: u16, target: &str, form: &str, name: &str, told: &Mutex<Told>, enough: &AtomicBool) {
    let Ok(mut client) = Client::connect(port) else { return };
    for number in 0.. {
        if enough.load(Ordering::Relaxed) {
            return;
        }
        let id = format!("{name}-{number}");
        let body = format!("{form}&associationId={id}");
        let kind = [("Content-Type", "application/x-www-form-urlencoded")];
        let started = Instant::now();
        let answer = match client.send("POST", target, &kind, &body) {
            Ok(answer) => answer,
            Err(error) => {
                lock(told).failures.push(error.to_string());
                return;
            }
        };
        let took = started.elapsed();
        let digest = answer.header("x-model-digest").map(str::to_owned);
        let mut told = lock(told);
        told.times.push(took);
        match (answer.status, digest) {
            (200, Some(digest)) => {
                let number = answer.predictions()[0];
                told.answers.insert(id, (number, digest));
            }
            _ => told.failures.push(format!("{} {}", answer.status, answer.body)),
        }
    }
}
