//! What wit-bindgen makes of `wit/`. Only `scorer.rs` uses it.

wit_bindgen::generate!({
    path: ["../wit", "wit"],
    world: "outpost:stock/stock",
    generate_all,
});

mod exported {
    #![expect(unsafe_code, reason = "generated code: exports by C names")]
    use crate::scorer::Component;

    super::export!(Component with_types_in super);
}
