//! Everything a user does, through the real binary: one test binary, one module a subject.

#![expect(clippy::unwrap_used, reason = "a story that cannot go on fails")]

mod stories {
    mod actuals;
    mod admin;
    mod admin_security;
    mod agent;
    mod aggregation;
    mod channels;
    mod check;
    mod classification;
    mod command_line;
    mod compiling;
    mod connected_client;
    mod containers;
    mod custom;
    mod deployments;
    mod direct;
    mod doors;
    mod faults;
    mod files;
    mod hostile;
    mod interop;
    mod kafka;
    mod kafka_security;
    mod mlops_document;
    mod monitoring_agent;
    mod monitoring_kills;
    mod privacy;
    mod rabbitmq;
    mod rabbitmq_outage;
    mod rabbitmq_reading;
    mod reading;
    mod readme;
    mod secrets;
    mod signing;
    mod spool;
    mod status_page;
    mod stop;
    mod two_models;
}
