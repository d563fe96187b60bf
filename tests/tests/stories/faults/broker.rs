//! 23, 24, 25, 30: the broker, or the way to it, goes away for longer than any time-out, and comes back.
//!
//! One broker at the far end of a cable suffers it all, one after the other; each scenario has its own topic, outbox and
//! gateway. Predictions wait for their record, never for the broker.

use super::hasty;
use std::path::Path;
use tests::{Cable, Gateway, Kafka, Ledger, Load, Serve};

const CLIENTS: usize = 2;
const RETRIES: &str = "spool_channel_retries_total";
/// Most records with the Kafka client; the rest of a backlog stays on disk.
const WINDOW: f64 = 1000.0;

fn serve(kafka: &Kafka, outbox: &Path, topic: &str) -> Serve {
    Serve::ridge(outbox).durable().settings(&hasty(&kafka.brokers(), topic))
}

/// Load goes on while something happens to the broker, until the channel has begun again some times; then it is undone.
fn while_away(
    kafka: &mut Kafka,
    mut ledger: Ledger,
    topic: &str,
    away: impl Fn(&mut Kafka),
    back: impl Fn(&mut Kafka),
) {
    kafka.create_topic(topic);
    let folder = tempfile::tempdir().unwrap();
    let mut gateway = serve(kafka, &folder.path().join("outbox"), topic).start();
    let load = Load::start(gateway.port(), CLIENTS, topic);
    gateway.wait_for("spool_channel_delivered_records_total", |records| records >= 100.0);
    away(kafka);
    out_of_reach(&gateway, &load);
    back(kafka);
    load.wait_for_more(100);
    ledger.acknowledge(load.end());
    assert!(gateway.is_running());
    ledger.close_on_topic(kafka, topic);
}

/// Longer than the delivery time-out, and nothing piles up in memory.
fn out_of_reach(gateway: &Gateway, load: &Load) {
    let before = gateway.metric(RETRIES);
    gateway.wait_for(RETRIES, |retries| retries >= before + 2.0);
    load.wait_for_more(100);
    gateway.wait_for("spool_channel_waiting_records", |records| records >= 100.0);
    assert!(gateway.metric("spool_channel_inflight_records") <= WINDOW);
    assert_eq!(gateway.get("/readyz").status, 200, "a broker is no reason to refuse predictions");
}

/// A gateway is started and killed while nobody is there, and the broker dies in the middle of the backlog.
fn killed_in_a_drain(kafka: &mut Kafka) {
    let mut ledger = Ledger::new(25, "broker restarts in the middle of a drain");
    let folder = tempfile::tempdir().unwrap();
    let outbox = folder.path().join("outbox");
    let serve = || Serve::ridge(&outbox).settings(&hasty(&kafka.brokers(), "drain"));
    for part in ["down-from-boot", "killed-with-records-waiting"] {
        let gateway = serve().start();
        let load = Load::start(gateway.port(), CLIENTS, part);
        load.wait_for(3000);
        ledger.acknowledge(load.end());
        gateway.wait_for("spool_queued_records", |records| records == 0.0);
        gateway.kill();
    }
    let gateway = serve().start();
    kafka.start();
    kafka.create_topic("drain");
    gateway.wait_for("spool_channel_delivered_records_total", |records| records >= 500.0);
    kafka.kill();
    kafka.start();
    ledger.close_on_topic(kafka, "drain");
}

#[test]
fn the_broker_goes_away_and_comes_back() {
    let cable = Cable::lay();
    let kafka = cable.as_ref().map_or_else(Kafka::reserved, Kafka::behind);
    let Some(mut kafka) = kafka else { return };
    let kafka = &mut kafka;
    killed_in_a_drain(kafka);
    let down = Ledger::new(23, "broker down longer than its delivery time-out");
    while_away(kafka, down, "down", Kafka::kill, Kafka::start);
    let frozen = Ledger::new(24, "broker frozen longer than all time-outs");
    while_away(kafka, frozen, "frozen", |kafka| kafka.freeze(), |kafka| kafka.thaw());

    let Some(cable) = &cable else { return };
    let cut = Ledger::new(30, "cable cut in the middle of a drain");
    while_away(kafka, cut, "cut", |_| cable.cut(), |_| cable.mend());
    let off = Ledger::new(30, "network interface off");
    while_away(kafka, off, "off", |_| cable.switch_off(), |_| cable.switch_on());
    // The broker forgets its connections while nobody can tell the client.
    let half_open = Ledger::new(30, "connection half-open");
    let restarted = |kafka: &mut Kafka| {
        kafka.kill();
        kafka.launch();
        cable.mend();
        kafka.wait();
    };
    while_away(kafka, half_open, "half-open", |_| cable.cut(), restarted);
}
