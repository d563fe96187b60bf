//! Every failure of the list in docs, injected into the real binary: what was acknowledged arrives, in order, under
//! one id, or its loss is counted. [`tests::Ledger`] checks that and writes `target/faults.txt`.
//!
//! The numbers are those of the list: process and power 1-7, disk 8-21, clock 22, brokers and network 23-32.

mod access;
mod broker;
mod clock;
mod damage;
mod errors;
mod full;
mod power;
mod process;
mod topic;
mod unreachable;

use std::path::Path;
use tests::{ELSEWHERE, NUMBERS, root};

/// An outbox in small, so that a disk of a few megabytes is large.
const SMALL: &str = "[outbox]
record_bytes_max = 65536
queue_bytes_max = 131072
segment_bytes = 262144
free_bytes_min = 0
";

/// Brokers that are not there: records stay in the outbox.
const NOWHERE: &str = "127.0.0.1:9";

/// The Kafka channel with all its times shortened alike.
fn hasty(brokers: &str, topic: &str) -> String {
    format!(
        "[spooler]
type = \"kafka\"
bootstrap_servers = \"{brokers}\"
topic = \"{topic}\"
delivery_timeout_ms = 1500
socket_timeout_ms = 1000
request_timeout_ms = 1000
reconnect_max_ms = 500
retry_ms = 100
retry_operator_ms = 300
linger_ms = 5
"
    )
}

/// Puts a file where the spool folder should be, so that the channel has to wait; removing it lets the channel go on.
fn block(spool: &Path) {
    std::fs::write(spool, "in the way").unwrap();
}

fn unblock(spool: &Path) {
    std::fs::remove_file(spool).unwrap();
}

/// A number that nobody proves is a hole in the list.
#[test]
fn every_number_of_the_list_has_its_test() {
    let folder = root().join("tests/tests/stories");
    let here = std::fs::read_dir(folder.join("faults")).unwrap();
    let files = here.map(|entry| entry.unwrap().path());
    let sources: String = files.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    for (number, name, file, test) in ELSEWHERE {
        let source = std::fs::read_to_string(root().join(file)).unwrap();
        assert!(source.contains(&format!("fn {test}(")), "{number}, {name}: {file} has no {test}");
    }
    for number in NUMBERS {
        let here = sources.contains(&format!("({number}, "));
        let elsewhere = ELSEWHERE.iter().any(|(proved, ..)| *proved == number);
        assert!(here || elsewhere, "nothing proves {number}");
    }
}
