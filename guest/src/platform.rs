//! What the standard library would bring along: an allocator, a panic handler, and the door through which a host
//! places arguments in this memory.
#![expect(unsafe_code, reason = "raw memory is what this file is about")]

extern crate alloc;

use alloc::alloc::{GlobalAlloc, Layout, alloc, realloc};
use core::arch::wasm32::unreachable;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use dlmalloc::GlobalDlmalloc;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator { tidy: AtomicBool::new(false) };

/// The allocator, which can be told to leave no traces in what it frees. A package holds all memory that is not
/// zero when its snapshot is taken, so traces of loading a model would make it half as large again.
struct Allocator {
    tidy: AtomicBool,
}

/// Says whether freed memory is zeroed.
pub(crate) fn tidy(on: bool) {
    ALLOCATOR.tidy.store(on, Relaxed);
}

// SAFETY: everything is handed on to an allocator, and what is written lies in a block that is about to be freed. The
// provided `realloc` calls the functions here.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract for us.
        unsafe { GlobalDlmalloc.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if self.tidy.load(Relaxed) {
            // SAFETY: the block is as large as its layout says, and the caller is done with it. Volatile, or the
            // compiler would see that nobody reads it any more.
            unsafe { (0..layout.size()).for_each(|at| block.add(at).write_volatile(0)) };
        }
        // SAFETY: as above.
        unsafe { GlobalDlmalloc.dealloc(block, layout) }
    }
}

// Rust's core compares memory with `memcmp` and leaves it to the platform's C library; that function is all that the
// linker takes from it.
#[link(name = "c")]
unsafe extern "C" {}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    unreachable()
}

/// The canonical ABI's allocation function. It must use the allocator above, because what a host places here is
/// freed as a `Vec` or a `String`. (The C library has one of its own, which would not.)
#[unsafe(export_name = "cabi_realloc")]
unsafe extern "C" fn cabi_realloc(
    old: *mut u8,
    old_size: usize,
    align: usize,
    size: usize,
) -> *mut u8 {
    if size == 0 {
        return core::ptr::without_provenance_mut(align);
    }
    let Ok(layout) = Layout::from_size_align(size, align) else { unreachable() };
    let place = if old_size == 0 {
        // SAFETY: the layout's size is not zero.
        unsafe { alloc(layout) }
    } else {
        // SAFETY: the caller got `old` from this function, with `old_size` and the same alignment, and `layout` has
        // shown that the new size fits that alignment.
        unsafe { realloc(old, Layout::from_size_align_unchecked(old_size, align), size) }
    };
    if place.is_null() {
        unreachable();
    }
    place
}
