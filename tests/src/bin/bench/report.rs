//! The figures as a part of `docs/PERFORMANCE.md`.

use crate::contenders::Contender;
use crate::inside::Figures;
use crate::{ROUNDS, machine, plugins, spooler, wrk};
use std::fmt::Write as _;

const BEGIN: &str = "<!-- make bench writes from here -->";
const END: &str = "<!-- to here -->";
const GOAL_BARE: f64 = 0.85;
const GOAL_FLASK: f64 = 20.0;
const GOAL_SANDBOX: f64 = 1.3;

/// The part between the markers.
pub(crate) fn text(
    http: &[Vec<wrk::Sample>],
    inside: &[Figures],
    plugins: &plugins::Figures,
    spooler: &spooler::Figures,
) -> String {
    let mut text =
        format!("Machine: {}. The load generator shares its cores.\n\n", machine::line());
    over_http(&mut text, http).expect("a string takes everything");
    in_process(&mut text, inside).expect("a string takes everything");
    plugins.report(&mut text).expect("a string takes everything");
    spooler.report(&mut text).expect("a string takes everything");
    text
}

pub(crate) fn over_http(text: &mut String, http: &[Vec<wrk::Sample>]) -> std::fmt::Result {
    let command = wrk::command("PORT").join(" ");
    writeln!(
        text,
        "### Over HTTP\n\nMedians of {ROUNDS} interleaved rounds of\n\n    {command}\n"
    )?;
    writeln!(text, "| server | requests/s | p50 | p99 |\n|---|---:|---:|---:|")?;
    for (contender, samples) in Contender::ALL.iter().zip(http) {
        let sample = wrk::median(samples);
        writeln!(
            text,
            "| {} | {:.0} | {} | {} |",
            contender.name(),
            sample.rate,
            sample.p50,
            sample.p99
        )?;
    }
    let [outbox, files, bare, flask] = http else { unreachable!("one list a contender") };
    writeln!(
        text,
        "\n| ratio of requests/s, median of the rounds | measured | goal |\n|---|---:|---:|"
    )?;
    writeln!(
        text,
        "| gateway / bare hyper | {:.2} | at least {GOAL_BARE} |",
        wrk::ratio(outbox, bare)
    )?;
    writeln!(text, "| gateway with files / bare hyper | {:.2} | |", wrk::ratio(files, bare))?;
    writeln!(text, "| gateway / Flask | {:.0} | at least {GOAL_FLASK} |", wrk::ratio(outbox, flask))
}

fn in_process(text: &mut String, inside: &[Figures]) -> std::fmt::Result {
    writeln!(
        text,
        "\n### Inside the sandbox\n\nMedians, one thread; *native* runs the same tables and the same code outside."
    )?;
    writeln!(text, "\n| | {} |", inside.iter().map(|it| it.name).collect::<Vec<_>>().join(" | "))?;
    writeln!(text, "|---|{}", "---:|".repeat(inside.len()))?;
    let mut row = |name: &str, value: &dyn Fn(&Figures) -> String| {
        let cells: Vec<String> = inside.iter().map(value).collect();
        writeln!(text, "| {name} | {} |", cells.join(" | "))
    };
    row("package, KiB", &|it| format!("{}", it.package_bytes.div_ceil(1024)))?;
    row("compile and load", &|it| format!("{:.1?}", it.compile))?;
    row("load with compiled code in the cache", &|it| format!("{:.1?}", it.load))?;
    row("fresh instance and one row", &|it| format!("{:.1?}", it.fresh))?;
    row("one row, warm", &|it| format!("{:.2?}", it.one.sandbox))?;
    row("one row, native", &|it| format!("{:.2?}", it.one.native))?;
    row("10,000 rows, warm", &|it| format!("{:.1?}", it.many.sandbox))?;
    row("10,000 rows, native", &|it| format!("{:.1?}", it.many.native))?;
    let goal = format!("10,000 rows, warm / native (goal: at most {GOAL_SANDBOX})");
    row(&goal, &|it| format!("{:.2}", it.many.ratio()))
}

/// Puts the text between the markers of the file.
///
/// # Panics
///
/// When the file has no markers.
pub(crate) fn write(text: &str) {
    let path = tests::root().join("docs/PERFORMANCE.md");
    let old = std::fs::read_to_string(&path).expect("docs/PERFORMANCE.md is there");
    let (before, rest) = old.split_once(BEGIN).expect("docs/PERFORMANCE.md has its first marker");
    let (_, after) = rest.split_once(END).expect("docs/PERFORMANCE.md has its second marker");
    let new = format!("{before}{BEGIN}\n\n{text}\n{END}{after}");
    std::fs::write(&path, new).expect("docs/PERFORMANCE.md can be written");
}
