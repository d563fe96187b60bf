//! Guests written as text and made into components: what hostile packages are made of.
//!
//! The usual one takes one number a row and gives it back as the prediction. It keeps the arguments where the host
//! placed them (at 4096) and has its answer at 256. The tests of the engine and those of the whole program share this file.

use models::manifest::{Baseline, Distribution, Golden, MANIFEST_FORMAT, Manifest, Provenance};
use models::{Feature, Kind, Missing, Unknown};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The contract as it is.
const WORLD: &str = include_str!("../../../../wit/world.wit");

/// A guest, part by part.
pub(crate) struct Guest<'a> {
    /// Packages besides the contract.
    pub(crate) wit: &'a str,
    /// The contract's text, when it is not the usual one.
    pub(crate) contract: Option<String>,
    /// The world that the guest targets.
    pub(crate) world: &'a str,
    /// Imports of the core module.
    pub(crate) imports: &'a str,
    /// Limits of the memory.
    pub(crate) memory: &'a str,
    /// More fields of the core module.
    pub(crate) fields: &'a str,
    /// What `score` does before it answers.
    pub(crate) before: &'a str,
    /// How many values it answers with.
    pub(crate) values: &'a str,
    /// All of the core module's exports, when they are not the usual ones.
    pub(crate) module: Option<&'a str>,
}

impl Default for Guest<'_> {
    fn default() -> Self {
        Self {
            wit: "",
            contract: None,
            world: "outpost:model/scorer@0.1.0",
            imports: "",
            memory: "1",
            fields: "",
            before: "",
            values: "(local.get $rows)",
            module: None,
        }
    }
}

impl Guest<'_> {
    /// The component, without a manifest.
    pub(crate) fn component(&self) -> Vec<u8> {
        let mut module = wat::parse_str(match self.module {
            Some(module) => module.to_string(),
            None => self.text(),
        })
        .expect("the text is WebAssembly");
        let mut resolve = Resolve::default();
        let contract = resolve
            .push_str("world.wit", self.contract.as_deref().unwrap_or(WORLD))
            .expect("the contract");
        let mut packages = vec![contract];
        for (at, text) in self.wit.split("---").filter(|text| !text.trim().is_empty()).enumerate() {
            packages.push(resolve.push_str(format!("{at}.wit"), text).expect("WIT"));
        }
        let world = resolve.select_world(&packages, Some(self.world)).expect("the world");
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
            .expect("a module takes a section");
        ComponentEncoder::default()
            .module(&module)
            .and_then(|mut encoder| encoder.encode())
            .expect("a component")
    }

    /// The core module.
    pub(crate) fn text(&self) -> String {
        let Self { imports, memory, fields, before, values, .. } = self;
        format!(
            r#"(module
              {imports}
              (memory (export "memory") {memory})
              (data (i32.const 16) "xy")
              (data (i32.const 18) "numeric")
              (data (i32.const 32) "regression")
              (data (i32.const 64) "\10\00\00\00\01\00\00\00\12\00\00\00\07\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00")
              (data (i32.const 128) "\40\00\00\00\01\00\00\00\20\00\00\00\0a\00\00\00\11\00\00\00\01\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00")
              {fields}
              (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
              (func (export "outpost:model/scoring@0.1.0#describe") (result i32) (i32.const 128))
              (func (export "outpost:model/scoring@0.1.0#score")
                (param $rows i32) (param $numbers i32) (param i32 i32 i32) (result i32)
                {before}
                (i32.store8 (i32.const 256) (i32.const 0))
                (i32.store (i32.const 260) (local.get $numbers))
                (i32.store (i32.const 264) {values})
                (i32.store (i32.const 268) (i32.const 0))
                (i32.store (i32.const 272) (i32.const 0))
                (i32.const 256)))"#
        )
    }
}

/// Appends a manifest section, by hand: the test must not lean on the code under test.
pub(crate) fn with_manifest(mut component: Vec<u8>, json: &[u8]) -> Vec<u8> {
    let name = engine::MANIFEST_SECTION.as_bytes();
    component.push(0);
    leb(&mut component, 1 + name.len() + json.len());
    leb(&mut component, name.len());
    component.extend_from_slice(name);
    component.extend_from_slice(json);
    component
}

fn leb(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The manifest of the usual guest.
pub(crate) fn manifest() -> Manifest {
    let numbers = || Distribution::Numeric {
        missing: 0,
        min: 0.0,
        max: 0.0,
        mean: 0.0,
        std: 0.0,
        counts: vec![1],
    };
    Manifest {
        format: MANIFEST_FORMAT,
        name: "echo".to_string(),
        version: "1".to_string(),
        prediction_type: "regression".to_string(),
        target: "y".to_string(),
        features: vec![Feature {
            name: "x".to_string(),
            kind: Kind::Numeric,
            missing: Missing::Refuse,
            unknown: Unknown::Refuse,
        }],
        baseline: Baseline {
            rows: 1,
            features: vec![numbers()],
            target: numbers(),
            predictions: numbers(),
            importance: Vec::new(),
        },
        metrics: Default::default(),
        golden: vec![Golden { row: vec![Some(1.5)], prediction: 1.5 }],
        provenance: Provenance {
            source: "csv".to_string(),
            data_sha256: "00".repeat(32),
            data_rows: 1,
            algorithm: "echo".to_string(),
            parameters: Default::default(),
            seed: 0,
            tools: Default::default(),
        },
    }
}
