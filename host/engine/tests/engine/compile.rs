//! Machine code from a child process: the same code, and what ends the child.

use std::ffi::OsString;
use std::time::Duration;

use engine::{
    CompileError, CompileLimits, Compiler, Engine, EngineError, EngineSettings, LoadError, Package,
    Placement,
};

use crate::guests::{Guest, limits, manifest, row, with_manifest};

/// The child of this crate's tests.
const CHILD: &str = env!("CARGO_BIN_EXE_engine-compiler");

/// The child, with these limits.
fn child(limits: CompileLimits) -> Compiler {
    Compiler { program: CHILD.into(), args: Vec::new(), env: Vec::new(), limits }
}

/// A shell that does this; `$0` is the child.
fn shell(script: &str, limits: CompileLimits) -> Compiler {
    let args = ["-c", script, CHILD].map(OsString::from).to_vec();
    Compiler { program: "/bin/sh".into(), args, env: Vec::new(), limits }
}

fn engine(compiler: Compiler) -> Engine {
    let compiler = Some(compiler);
    Engine::new(EngineSettings { compiler, pool_slots: 0, ..EngineSettings::default() }).unwrap()
}

/// What a compiler that does not do its work is told to have done.
fn failed(compiler: Compiler, package: &Package) -> CompileError {
    match engine(compiler).load(package, limits()).unwrap_err() {
        LoadError::Compile(error) => error,
        error => panic!("{error:?}"),
    }
}

/// A guest with so many functions, each of so many additions.
fn bomb(functions: usize, additions: usize) -> Package {
    let body = "(i64.add (local.get 0) (i64.const 7)) (local.set 0)".repeat(additions);
    let function = format!("(func (param i64) (result i64) {body} (local.get 0))");
    let fields = function.repeat(functions);
    Guest { fields: &fields, ..Guest::default() }.package()
}

#[test]
fn a_child_makes_the_code_for_pool_and_reserved_placement() {
    let settings = || EngineSettings {
        compiler: Some(child(CompileLimits::default())),
        ..EngineSettings::default()
    };
    for (pool_slots, placement) in [(2, Placement::Pool), (0, Placement::Reserved)] {
        let engine = Engine::new(EngineSettings { pool_slots, ..settings() }).unwrap();
        assert_eq!(engine.placement(), placement);
        let scorer = Guest::default().load(&engine, limits()).unwrap();
        assert_eq!(scorer.score(row(&4.0)).unwrap(), [4.0]);
        assert_eq!(engine.stats().compiled, 1);
    }
}

#[test]
fn a_child_makes_the_code_for_compact_placement() {
    // A child process of this very test, with 2 GiB of address space.
    if std::env::var_os("OUTPOST_TEST_SMALL").is_some() {
        let compiler = Some(child(CompileLimits::default()));
        let engine = Engine::new(EngineSettings { compiler, ..EngineSettings::default() }).unwrap();
        assert_eq!(engine.placement(), Placement::Compact);
        let scorer = Guest::default().load(&engine, limits()).unwrap();
        assert_eq!(scorer.score(row(&4.0)).unwrap(), [4.0]);
        return;
    }
    let test = "compile::a_child_makes_the_code_for_compact_placement";
    let output = std::process::Command::new("sh")
        .args(["-c", &format!("ulimit -v 2097152 && exec \"$0\" --exact {test}")])
        .arg(std::env::current_exe().unwrap())
        .env("OUTPOST_TEST_SMALL", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn a_warm_cache_needs_no_child() {
    let place = tempfile::tempdir().unwrap();
    let load = |compiler| {
        let cache = Some(place.path().join("cache"));
        let settings =
            EngineSettings { cache, compiler, pool_slots: 0, ..EngineSettings::default() };
        let engine = Engine::new(settings).unwrap();
        let scorer = Guest::default().load(&engine, limits())?;
        assert_eq!(scorer.score(row(&4.0)).unwrap(), [4.0]);
        Ok::<_, LoadError>(engine.stats().cache_hits)
    };
    let broken = || Some(shell("exit 1", CompileLimits::default()));
    assert!(load(broken()).is_err());
    assert_eq!(load(Some(child(CompileLimits::default()))).unwrap(), 0);
    assert_eq!(load(broken()).unwrap(), 1);
}

#[test]
fn what_the_child_finds_wrong_with_the_code_is_told() {
    let mut bytes = Guest::default().component();
    // `i32.store8` (3a) of the last function becomes an opcode that there is none of.
    let at = bytes.windows(3).rposition(|window| window == [0x3a, 0x00, 0x00]).unwrap();
    bytes[at] = 0xff;
    let package = Package::parse(with_manifest(bytes, &manifest().to_json())).unwrap();
    let error = engine(child(CompileLimits::default())).load(&package, limits()).unwrap_err();
    let LoadError::Invalid(why) = error else { panic!("{error:?}") };
    let in_process = Engine::new(EngineSettings { pool_slots: 0, ..EngineSettings::default() })
        .unwrap()
        .load(&package, limits())
        .unwrap_err();
    let LoadError::Invalid(in_process) = in_process else { panic!("{in_process:?}") };
    assert!(why.to_string().contains(&in_process.to_string()), "{why} is not {in_process}");
}

#[test]
fn a_bomb_ends_at_the_processor_time_and_others_go_on() {
    let allowed = CompileLimits { cpu_time: Duration::from_millis(1), ..CompileLimits::default() };
    let bomb = bomb(20_000, 60);
    let healthy =
        Engine::new(EngineSettings { pool_slots: 0, ..EngineSettings::default() }).unwrap();
    let healthy = Guest::default().load(&healthy, limits()).unwrap();
    std::thread::scope(|scope| {
        let compiling = scope.spawn(|| failed(child(allowed), &bomb));
        let mut scored = 0;
        while !compiling.is_finished() {
            assert_eq!(healthy.score(row(&3.0)).unwrap(), [3.0]);
            scored += 1;
        }
        let error = compiling.join().unwrap();
        assert!(matches!(error, CompileError::CpuTime { .. }), "{error}");
        assert!(error.to_string().contains("compile_cpu_max"), "{error}");
        assert!(scored > 0, "nobody scored beside the compiler");
    });
}

#[test]
fn memory_has_a_limit() {
    let allowed = |memory_bytes| CompileLimits { memory_bytes, ..CompileLimits::default() };
    let bomb = bomb(1, 50_000);
    let error = failed(child(allowed(64 << 20)), &bomb);
    assert!(matches!(error, CompileError::Memory { limit } if limit == 64 << 20), "{error}");
    assert!(error.to_string().contains("compile_bytes_max"), "{error}");
    engine(child(allowed(4 << 30))).load(&bomb, limits()).unwrap();
}

#[test]
fn a_child_that_does_not_come_to_an_end_is_killed() {
    let short = CompileLimits { wall_time: Duration::from_millis(100), ..CompileLimits::default() };
    let package = Guest::default().package();
    // One that does nothing, and one that has closed its output and goes on.
    for script in ["exec sleep 1000", "exec sleep 1000 >&-"] {
        let error = failed(shell(script, short), &package);
        assert!(matches!(error, CompileError::WallTime { .. }), "{error}");
        assert!(error.to_string().contains("compile_time_max"), "{error}");
    }
}

#[test]
fn a_child_that_breaks_off_is_told_of_with_its_last_line() {
    let package = Guest::default().package();
    for (script, words) in [
        ("kill -SEGV $$", ["SIGSEGV", "said: nothing"]),
        (
            "echo one >&2; echo two >&2; echo note: three >&2; exit 3",
            ["exit status: 3", "said: two"],
        ),
        // It may or may not get to say that nobody reads on.
        ("\"$0\" 2> /dev/null | head -c 1000", ["it is cut off", "said: nothing"]),
        ("echo hello", ["does not begin like one", "said: nothing"]),
        ("\"$0\" | tr '\\000' '\\001'", ["it", "said: nothing"]),
    ] {
        let error = failed(shell(script, CompileLimits::default()), &package).to_string();
        for word in words {
            assert!(error.contains(word), "{word} is missing in: {error}");
        }
    }
    let nobody = Compiler {
        program: "/nowhere/outpost".into(),
        args: Vec::new(),
        env: Vec::new(),
        limits: CompileLimits::default(),
    };
    let error = failed(nobody, &package);
    assert!(matches!(error, CompileError::Start { .. }), "{error}");
    assert!(error.to_string().contains("/nowhere/outpost"), "{error}");
}

#[test]
fn the_child_is_for_its_parent_alone() {
    for asked in ["", "anything else, as long as a request is, and then some more of it"] {
        let mut child = std::process::Command::new(CHILD)
            .stdin(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), asked.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("for `outpost serve` alone"), "{said}");
    }
}

#[test]
fn limits_of_nothing_are_refused_by_name() {
    let usual = CompileLimits::default();
    for (name, limits) in [
        ("cpu_time", CompileLimits { cpu_time: Duration::ZERO, ..usual }),
        ("memory_bytes", CompileLimits { memory_bytes: 0, ..usual }),
        ("wall_time", CompileLimits { wall_time: Duration::ZERO, ..usual }),
    ] {
        let compiler = Some(child(limits));
        let error = Engine::new(EngineSettings { compiler, ..EngineSettings::default() });
        assert!(matches!(error, Err(EngineError::Setting { name: found, .. }) if found == name));
    }
}
