//! The conformance test of the contract: what `outpost check` runs on a component or a package.
//!
//! # Constraints
//!
//! The component is somebody else's code and runs inside the limits that a gateway would hold it to. A model may decline
//! what it likes; what it may not do is trap, answer with something that is no prediction, or answer differently when it
//! is asked again.
//!
//! # Operation
//!
//! Checks run in an order in which each builds on those before it (`describe` before rows, rows before batches). Rows come
//! from the caller, from the manifest, and from a fixed list of numbers (`rows.rs`); a row is used when the model scores
//! it. The checks that score are in `scoring.rs`.
//!
//! # Failure
//!
//! A check that fails says what was asked and what came back; one that cannot run, because one before it failed, is
//! skipped and says so. An instance that broke is replaced.

mod rows;
mod scoring;

use std::time::{Duration, Instant};

use models::{Feature, manifest::Manifest};

use crate::contract::Signature;
use crate::engine::Engine;
use crate::error::{LoadError, PackageError, ScoreError};
use crate::package::Package;
use crate::settings::LimitSettings;
use crate::subject::{Linked, Probe, Subject};

/// What the conformance test found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// One finding a check, in the order in which they ran.
    pub findings: Vec<Finding>,
    /// What was measured on the way.
    pub figures: Figures,
}

/// What one check found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The check's name: short and stable.
    pub check: &'static str,
    /// How it went.
    pub verdict: Verdict,
    /// What was seen, or what is wrong.
    pub detail: String,
}

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it must be.
    Passed,
    /// Not as it must be.
    Failed,
    /// Not run, or nothing to check.
    Skipped,
}

/// What was measured. None of it is a verdict.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Time to compile it.
    pub compile: Option<Duration>,
    /// Time to make an instance.
    pub start: Option<Duration>,
    /// Time of a call with one row, the median of many.
    pub one_row: Option<Duration>,
    /// The largest batch that it gets in one call.
    pub largest_rows: Option<u32>,
    /// Time of a call with the largest batch.
    pub largest: Option<Duration>,
    /// Memory that it starts with.
    pub declared_bytes: Option<u64>,
    /// Memory that it has after all calls.
    pub memory_bytes: Option<u64>,
}

/// Makes rows for a model with these features; the error says why that is not possible.
pub type RowsFor<'a> = &'a dyn Fn(&[Feature]) -> Result<Vec<f64>, String>;

impl Report {
    /// Whether no check failed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.findings.iter().all(|finding| finding.verdict != Verdict::Failed)
    }

    fn add(&mut self, check: &'static str, result: Result<String, String>) -> bool {
        let (verdict, detail) = match result {
            Ok(detail) => (Verdict::Passed, detail),
            Err(detail) => (Verdict::Failed, detail),
        };
        self.findings.push(Finding { check, verdict, detail });
        verdict == Verdict::Passed
    }

    fn skip(&mut self, check: &'static str, why: &str) {
        let finding = Finding { check, verdict: Verdict::Skipped, detail: why.to_string() };
        self.findings.push(finding);
    }
}

/// Every check after the component was compiled, in their order.
const CHECKS: [&str; 17] = [
    "imports",
    "exports",
    "start",
    "describe",
    "manifest agrees",
    "golden rows",
    "rows",
    "batches",
    "order",
    "repeated",
    "fresh instance",
    "missing values",
    "unknown levels",
    "extreme values",
    "wrong shapes",
    "memory",
    "time",
];

impl Engine {
    /// Runs the conformance test on a component, a package, or a core module that carries its component type.
    ///
    /// `rows` gives rows that the model should score, one number a feature; when it has none, and the manifest has no
    /// golden rows, numbers are made up.
    #[must_use]
    pub fn check(&self, bytes: Vec<u8>, limits: &LimitSettings, rows: RowsFor<'_>) -> Report {
        let mut report = Report::default();
        let manifest = manifest(&mut report, &bytes);
        let started = Instant::now();
        let subject = match self.subject(bytes) {
            Ok(subject) => subject,
            Err(error) => {
                report.add("component", Err(chain(&error)));
                return skip_rest(report, "component");
            }
        };
        report.figures.compile = Some(started.elapsed());
        report.add("component", Ok(format!("{} bytes, valid", subject.bytes().len())));
        let last = run(&mut report, &subject, manifest.as_ref(), limits, rows);
        match last {
            Ok(()) => report,
            Err(failed) => skip_rest(report, failed),
        }
    }
}

/// The manifest, when there is one.
fn manifest(report: &mut Report, bytes: &[u8]) -> Option<Package> {
    match Package::parse(bytes.to_vec()) {
        Ok(package) => {
            let manifest = package.manifest();
            let golden = manifest.golden.len();
            let told = format!("{} {}, {golden} golden rows", manifest.name, manifest.version);
            report.add("manifest", Ok(told));
            Some(package)
        }
        Err(PackageError::NoManifest | PackageError::CoreModule) => {
            report.skip("manifest", "there is none; `outpost seal` adds one");
            None
        }
        // What is wrong with the bytes as such is said by the next check.
        Err(PackageError::NotWasm | PackageError::Layer | PackageError::Damaged(_)) => {
            report.skip("manifest", "not looked for");
            None
        }
        Err(error) => {
            report.add("manifest", Err(chain(&error)));
            None
        }
    }
}

/// Says of every check that has no finding yet why it did not run.
fn skip_rest(mut report: Report, failed: &str) -> Report {
    for check in CHECKS {
        if report.findings.iter().all(|finding| finding.check != check) {
            report.skip(check, &format!("not run, because of `{failed}`"));
        }
    }
    report
}

/// The error is the name of the check without which the rest makes no sense.
fn run(
    report: &mut Report,
    subject: &Subject,
    package: Option<&Package>,
    limits: &LimitSettings,
    rows: RowsFor<'_>,
) -> Result<(), &'static str> {
    let imports = subject.imports();
    let listed = match imports.len() {
        0 => "none".to_string(),
        count => format!("{count} interfaces of WASI, which find nothing:\n{}", imports.join("\n")),
    };
    if !report.add("imports", subject.check_imports().map(|()| listed).map_err(|e| chain(&e))) {
        return Err("imports");
    }
    let linked = match subject.link(limits) {
        Ok(linked) => linked,
        Err(error @ LoadError::Declared { .. }) => {
            report.add("start", Err(chain(&error)));
            return Err("start");
        }
        Err(error) => {
            report.add("exports", Err(chain(&error)));
            return Err("exports");
        }
    };
    report.figures.declared_bytes = Some(linked.declared_bytes());
    let mut probe = start(report, &linked)?;
    let (signature, features) = describe(report, &mut probe)?;
    match package {
        Some(package) => {
            let agrees = signature.agrees(package.manifest());
            let agrees = agrees.map(|()| "code and manifest describe the same model".to_string());
            if !report.add("manifest agrees", agrees) {
                return Err("manifest agrees");
            }
            let golden = subject.prove(package, limits);
            let count = package.manifest().golden.len();
            let told = format!("{count} predictions, bit for bit");
            match (count, golden) {
                (0, Ok(())) => report.skip("golden rows", "the manifest has none"),
                (_, golden) => {
                    report.add("golden rows", golden.map(|()| told).map_err(|e| chain(&e)));
                }
            }
        }
        None => {
            report.skip("manifest agrees", "there is no manifest");
            report.skip("golden rows", "there is no manifest");
        }
    }
    let manifest = package.map(Package::manifest);
    let given = match rows(&features) {
        Ok(given) => given,
        Err(why) => {
            report.add("rows", Err(why));
            return Err("rows");
        }
    };
    score(report, &linked, probe, &signature, manifest, &given)
}

fn start<'a>(report: &mut Report, linked: &'a Linked) -> Result<Probe<'a>, &'static str> {
    let started = Instant::now();
    match linked.start() {
        Ok(probe) => {
            report.figures.start = Some(started.elapsed());
            report.add("exports", Ok(crate::contract::INTERFACE.to_string()));
            report.add("start", Ok("within its limits".to_string()));
            Ok(probe)
        }
        Err(error @ LoadError::Types(_)) => {
            report.add("exports", Err(chain(&error)));
            Err("exports")
        }
        Err(error) => {
            report.add("exports", Ok(crate::contract::INTERFACE.to_string()));
            report.add("start", Err(chain(&error)));
            Err("start")
        }
    }
}

/// The signature, which must make sense and be the same twice.
fn describe(
    report: &mut Report,
    probe: &mut Probe<'_>,
) -> Result<(Signature, Vec<Feature>), &'static str> {
    let told = ask_twice(probe);
    let said = told.as_ref().map(|(signature, _)| {
        let Signature { features, target, prediction_type, .. } = signature;
        format!("{} features, {prediction_type} of {target}", features.len())
    });
    report.add("describe", said.map_err(Clone::clone));
    told.map_err(|_| "describe")
}

fn ask_twice(probe: &mut Probe<'_>) -> Result<(Signature, Vec<Feature>), String> {
    let first = probe.describe().map_err(|error| told(probe, &error))?;
    let second = probe.describe().map_err(|error| told(probe, &error))?;
    if first != second {
        return Err("it gives another answer when it is asked again".to_string());
    }
    let features = first.features().map_err(|error| error.to_string())?;
    Ok((first, features))
}

fn score(
    report: &mut Report,
    linked: &Linked,
    probe: Probe<'_>,
    signature: &Signature,
    manifest: Option<&Manifest>,
    given: &[f64],
) -> Result<(), &'static str> {
    let mut scoring = scoring::Scoring::new(linked, probe, signature);
    let rows = scoring.find_rows(given, manifest);
    if !report.add("rows", rows) {
        return Err("rows");
    }
    for (check, result) in [
        ("batches", scoring.batches()),
        ("order", scoring.order()),
        ("repeated", scoring.repeated()),
        ("fresh instance", scoring.fresh()),
        ("missing values", scoring.missing()),
    ] {
        report.add(check, result);
    }
    match scoring.unknown() {
        None => report.skip("unknown levels", "no feature is categorical"),
        Some(result) => {
            report.add("unknown levels", result);
        }
    }
    report.add("extreme values", scoring.extremes());
    report.add("wrong shapes", scoring.shapes());
    let memory = scoring.memory(&mut report.figures);
    report.add("memory", memory);
    let time = scoring.time(&mut report.figures);
    report.add("time", time);
    Ok(())
}

/// An error of a call, with what the component wrote before it broke.
fn told(probe: &Probe<'_>, error: &ScoreError) -> String {
    let said = probe.said();
    if said.is_empty() { chain(error) } else { format!("{}; it wrote:\n{said}", chain(error)) }
}

/// An error with everything behind it.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
