//! Packages that mean harm, one for each way known to us: sealed, so that everything that looks at a package gets to see
//! them. Some do not load; the others behave until they see a row with the number [`MARK`].

#[path = "../../host/engine/tests/engine/guest.rs"]
mod guest;

use self::guest::{Guest, manifest, with_manifest};

/// The row that makes those that load misbehave. All others they give back: `x` is the prediction.
pub const MARK: f64 = 13.0;
/// Functions of the package that takes long to compile.
const FUNCTIONS: u32 = 20_000;

/// A hostile package.
#[derive(Debug)]
pub struct Hostile {
    /// What it does, in letters that make a file's name.
    pub name: &'static str,
    /// The sealed package.
    pub package: Vec<u8>,
    /// What becomes of it.
    pub end: End,
}

/// What becomes of a hostile package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It is not served, and whoever wants to know why finds these words.
    Refused(&'static [&'static str]),
    /// It is served, and the marked row costs it its instance: the status of the answer, and the kind in the metrics.
    Breaks {
        /// Of the answer.
        status: u16,
        /// Of what broke, as `engine_instances_discarded_total` has it.
        kind: &'static str,
    },
}

const LATE: End = End::Breaks { status: 504, kind: "deadline" };
const GREEDY: End = End::Breaks { status: 500, kind: "memory" };
const TRAPPED: End = End::Breaks { status: 500, kind: "trap" };

/// All of them.
pub fn hostile() -> Vec<Hostile> {
    let mut all = on_a_row();
    all.extend(at_the_start());
    all.extend(not_even_code());
    all
}

/// Those that load, and misbehave on the marked row.
fn on_a_row() -> Vec<Hostile> {
    const GIVE_UP: &str = "(then unreachable)";
    let usual = Guest::default;
    let deep = "(func $deep (param i64) (result i64)
        (i64.add (local.get 0) (call $deep (i64.add (local.get 0) (i64.const 1)))))";
    let grow = format!("(if (i32.eq (memory.grow (i32.const 65000)) (i32.const -1)) {GIVE_UP})");
    let hoard = "(loop (drop (i32.eqz (i32.load8_u (i32.const 0))))
        (br_if 0 (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable";
    let elements = format!(
        "(if (i32.eq (table.grow $t (ref.null func) (i32.const 100000000)) (i32.const -1)) {GIVE_UP})"
    );
    let fill = "(loop (memory.fill (i32.const 65536) (i32.const 7) (i32.const 15728640)) (br 0))";
    [
        ("endless-loop", usual(), "(loop (br 0))", LATE),
        ("memory-bomb", usual(), &*grow, GREEDY),
        ("memory-hoard", usual(), hoard, GREEDY),
        ("table-bomb", Guest { fields: "(table $t 10 funcref)", ..usual() }, &*elements, GREEDY),
        (
            "deep-recursion",
            Guest { fields: deep, ..usual() },
            "(drop (call $deep (i64.const 0)))",
            End::Breaks { status: 500, kind: "stack" },
        ),
        ("unreachable", usual(), "unreachable", TRAPPED),
        ("out-of-bounds", usual(), "(drop (i32.load (i32.const -8)))", TRAPPED),
        ("divide-by-zero", usual(), "(drop (i32.div_u (i32.const 1) (i32.const 0)))", TRAPPED),
        ("slow-fill", Guest { memory: "256", ..usual() }, fill, LATE),
        (
            "not-a-number",
            usual(),
            "(f64.store (local.get $numbers) (f64.const nan))",
            End::Breaks { status: 500, kind: "output" },
        ),
    ]
    .into_iter()
    .map(|(name, guest, misdeed, end)| {
        let before = format!("(if {} (then {misdeed}))", marked());
        Hostile { name, package: sealed(&Guest { before: &before, ..guest }), end }
    })
    .chain([("huge-answer", "13000000"), ("answer-beyond-memory", "0x10000000")].map(
        |(name, values)| {
            let values = format!("(select (i32.const {values}) (local.get $rows) {})", marked());
            let guest = Guest { values: &values, memory: "2000", ..usual() };
            let end = End::Breaks { status: 500, kind: "output" };
            Hostile { name, package: sealed(&guest), end }
        },
    ))
    .collect()
}

/// Those whose code is valid, and that are refused for what they are or do when they start.
fn at_the_start() -> Vec<Hostile> {
    let asks = Guest {
        wit: "package test:bad; world asks { include outpost:model/scorer@0.1.0; import ask: func() -> u32; }",
        world: "test:bad/asks",
        imports: r#"(import "$root" "ask" (func (result i32)))"#,
        ..Guest::default()
    };
    let spins = Guest { fields: "(func $spin (loop (br 0))) (start $spin)", ..Guest::default() };
    let traps = Guest { fields: "(func $trap unreachable) (start $trap)", ..Guest::default() };
    let lies =
        Guest { before: "(f64.store (local.get $numbers) (f64.const 7))", ..Guest::default() };
    [
        ("loop-at-the-start", spins, &["first call", "deadline"][..]),
        ("trap-at-the-start", traps, &["first call", "unreachable"]),
        ("much-memory", Guest { memory: "16384", ..Guest::default() }, &["declares 1073741824"]),
        ("unknown-import", asks, &["imports ask"]),
        ("wrong-numbers", lies, &["golden row 0 gives 7"]),
    ]
    .into_iter()
    .map(|(name, guest, words)| Hostile { name, package: sealed(&guest), end: End::Refused(words) })
    .chain(
        [(
            "large-table",
            Guest { fields: "(table 100000000 funcref)", ..Guest::default() },
            // Where there is a pool it refuses the code, else the instance runs out of its budget.
            &["table"][..],
        )]
        .map(|(name, guest, words)| Hostile {
            name,
            package: sealed(&guest),
            end: End::Refused(words),
        }),
    )
    .collect()
}

/// Those that are refused before they are run.
fn not_even_code() -> Vec<Hostile> {
    let with_module = |module: &[u8]| {
        let mut component = Guest::default().component();
        component.push(1);
        leb(&mut component, module.len() as u32);
        component.extend_from_slice(module);
        with_manifest(component, &manifest().to_json())
    };
    let wide = wat::parse_str("(module (memory i64 1))").expect("it is WebAssembly");
    let whole = sealed(&Guest::default());
    vec![
        Hostile {
            name: "wide-memory",
            package: with_module(&wide),
            end: End::Refused(&["its code is not valid here", "memory64"]),
        },
        Hostile {
            name: "compile-bomb",
            package: with_module(&functions(FUNCTIONS)),
            end: End::Refused(&["compile it", "compile_cpu_max"]),
        },
        Hostile {
            name: "cut-off",
            package: whole[..whole.len() / 2].to_vec(),
            end: End::Refused(&["the file"]),
        },
    ]
}

/// Whether the first row is the marked one.
fn marked() -> String {
    format!("(f64.eq (f64.load (local.get $numbers)) (f64.const {MARK}))")
}

fn sealed(guest: &Guest<'_>) -> Vec<u8> {
    with_manifest(guest.component(), &manifest().to_json())
}

/// A module of so many functions, each with so many branches that it takes half a millisecond to compile.
pub fn functions(count: u32) -> Vec<u8> {
    // `if (x == 0) { x = x * x + 7 }`, again and again, then `x`.
    let branch = [0x20, 0, 0x50, 0x04, 0x40, 0x20, 0, 0x20, 0, 0x7e, 0x42, 7, 0x7c, 0x21, 0, 0x0b];
    let body = [&[0][..], &branch.repeat(60), &[0x20, 0, 0x0b]].concat();
    let list = |each: &[u8]| {
        let mut list = Vec::new();
        leb(&mut list, count);
        list.extend(each.repeat(count as usize));
        list
    };
    let mut sized = Vec::new();
    leb(&mut sized, body.len() as u32);
    sized.extend(body);
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    // The type of a function from i64 to i64, functions of it, their bodies.
    for (id, content) in [(1, vec![1, 0x60, 1, 0x7e, 1, 0x7e]), (3, list(&[0])), (10, list(&sized))]
    {
        module.push(id);
        leb(&mut module, content.len() as u32);
        module.extend(content);
    }
    module
}

fn leb(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
