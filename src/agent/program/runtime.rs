//! What a standard library would bring: the entry point, memory, and the four functions that compiled code calls.

use alloc::vec::Vec;
use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr;

use super::{run, serve, sys};

#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(
    ".globl _start",
    "_start:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "and rsp, -16",
    "call {entry}",
    "ud2",
    entry = sym entry
);

#[cfg(target_arch = "aarch64")]
core::arch::global_asm!(
    ".globl _start",
    "_start:",
    "mov x29, xzr",
    "mov x30, xzr",
    "mov x0, sp",
    "and x9, x0, #-16",
    "mov sp, x9",
    "bl {entry}",
    "brk #1",
    entry = sym entry
);

/// The kernel leaves the number of arguments, the arguments, a null, the environment and a null on the stack.
extern "C" fn entry(stack: *const usize) -> ! {
    // SAFETY: this is what the kernel put there; both lists end with a null pointer and their strings with a NUL.
    let (arguments, environment) = unsafe {
        let count = *stack;
        let first = stack.add(1).cast::<*const u8>();
        (strings(first), strings(first.add(count + 1)))
    };
    let code = match arguments.get(1).map(Vec::as_slice) {
        Some(b"run\0") => run::run(arguments.get(2..).unwrap_or_default(), environment),
        Some(b"serve\0") => serve::serve(),
        Some(b"version\0") => {
            let _ = sys::write_all(1, alloc::format!("{}\n", super::control::BUILD).as_bytes());
            0
        }
        _ => {
            let _ = sys::write_all(2, b"hob agent: expected `run -- COMMAND...`, `serve` or `version`\n");
            64
        }
    };
    sys::exit(code)
}

/// Strings of a list that ends with a null pointer, each with its NUL.
unsafe fn strings(mut list: *const *const u8) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    // SAFETY: the caller says that the list and its strings end.
    unsafe {
        while !(*list).is_null() {
            let mut length = 0;
            while *(*list).add(length) != 0 {
                length += 1;
            }
            out.push(core::slice::from_raw_parts(*list, length + 1).to_vec());
            list = list.add(1);
        }
    }
    out
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    let _ = sys::write_all(2, alloc::format!("hob agent: internal error: {info}\n").as_bytes());
    sys::exit(70)
}

/// Memory in powers of two, each size with a list of free pieces; what is larger than a piece comes from the kernel
/// and goes back to it. The agent has one thread.
struct Memory(UnsafeCell<Lists>);

struct Lists {
    free: [*mut u8; CLASSES],
    /// The rest of the last block that was taken from the kernel.
    next: *mut u8,
    left: usize,
}

const SMALLEST: usize = 16;
const CLASSES: usize = 11; // 16 bytes to 16 KiB
const LARGEST: usize = SMALLEST << (CLASSES - 1);
const BLOCK: usize = 64 << 10;
const PAGE: usize = 4096;

// SAFETY: there is one thread.
unsafe impl Sync for Memory {}

#[global_allocator]
static MEMORY: Memory =
    Memory(UnsafeCell::new(Lists { free: [ptr::null_mut(); CLASSES], next: ptr::null_mut(), left: 0 }));

fn class(layout: Layout) -> usize {
    let size = layout.size().max(layout.align()).max(SMALLEST).next_power_of_two();
    (size / SMALLEST).trailing_zeros() as usize
}

fn pages(size: usize) -> usize {
    size.next_multiple_of(PAGE)
}

// SAFETY: every piece is as large as its class and aligned to it (blocks are pages), and is in one list or handed out.
unsafe impl GlobalAlloc for Memory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() > LARGEST || layout.align() > LARGEST {
            return sys::map(pages(layout.size())).unwrap_or(ptr::null_mut());
        }
        let class = class(layout);
        let size = SMALLEST << class;
        // SAFETY: one thread, and no reference lives longer than this call.
        let lists = unsafe { &mut *self.0.get() };
        let head = lists.free[class];
        if !head.is_null() {
            // SAFETY: a free piece begins with the pointer to the next one.
            lists.free[class] = unsafe { head.cast::<*mut u8>().read() };
            return head;
        }
        let skip = lists.next.align_offset(size);
        if lists.left < size + skip || lists.next.is_null() {
            let Some(block) = sys::map(BLOCK) else { return ptr::null_mut() };
            (lists.next, lists.left) = (block, BLOCK);
            // A block is aligned to pages only; pieces above that size are aligned by the request alone, which never
            // asks for more than a page.
            return self.cut(lists, size);
        }
        if size <= PAGE {
            // SAFETY: within the block, as was just checked.
            lists.next = unsafe { lists.next.add(skip) };
            lists.left -= skip;
        }
        self.cut(lists, size)
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        if layout.size() > LARGEST || layout.align() > LARGEST {
            sys::unmap(piece, pages(layout.size()));
            return;
        }
        let class = class(layout);
        // SAFETY: one thread; the piece is as large as a pointer at least.
        unsafe {
            let lists = &mut *self.0.get();
            piece.cast::<*mut u8>().write(lists.free[class]);
            lists.free[class] = piece;
        }
    }
}

impl Memory {
    fn cut(&self, lists: &mut Lists, size: usize) -> *mut u8 {
        let piece = lists.next;
        // SAFETY: the caller made sure that the block has that much left.
        lists.next = unsafe { piece.add(size) };
        lists.left -= size;
        piece
    }
}

/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    // SAFETY: as the caller says.
    unsafe { forward(to, from, count) };
    to
}

/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    // SAFETY: as the caller says; the direction keeps an overlap intact.
    unsafe {
        if (to as usize).wrapping_sub(from as usize) >= count {
            forward(to, from, count);
        } else {
            backward(to, from, count);
        }
    }
    to
}

/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, value: i32, count: usize) -> *mut u8 {
    // SAFETY: as the caller says.
    unsafe { fill(to, value as u8, count) };
    to
}

/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, count: usize) -> i32 {
    let mut index = 0;
    while index < count {
        // SAFETY: within what the caller says; volatile so that the loop is not turned into a call of itself.
        let (a, b) = unsafe { (left.add(index).read_volatile(), right.add(index).read_volatile()) };
        if a != b {
            return i32::from(a) - i32::from(b);
        }
        index += 1;
    }
    0
}

/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(left: *const u8, right: *const u8, count: usize) -> i32 {
    // SAFETY: as the caller says.
    unsafe { memcmp(left, right, count) }
}

/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn strlen(text: *const u8) -> usize {
    let mut length = 0;
    // SAFETY: the caller says that there is a NUL.
    while unsafe { text.add(length).read_volatile() } != 0 {
        length += 1;
    }
    length
}

/// The compiled `alloc` mentions unwinding; a program that aborts on panic never gets there.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    sys::exit(70)
}

/// As [`_Unwind_Resume`].
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() -> ! {
    sys::exit(70)
}

#[cfg(target_arch = "x86_64")]
unsafe fn forward(to: *mut u8, from: *const u8, count: usize) {
    // SAFETY: copies `count` bytes upwards, as the caller allows.
    unsafe {
        core::arch::asm!("rep movsb", inout("rcx") count => _, inout("rdi") to => _, inout("rsi") from => _,
            options(nostack, preserves_flags));
    }
}

#[cfg(target_arch = "x86_64")]
unsafe fn fill(to: *mut u8, value: u8, count: usize) {
    // SAFETY: writes `count` bytes, as the caller allows.
    unsafe {
        core::arch::asm!("rep stosb", inout("rcx") count => _, inout("rdi") to => _, in("al") value,
            options(nostack, preserves_flags));
    }
}

// Volatile so that the compiler does not turn these loops into calls of the functions that they are.

#[cfg(not(target_arch = "x86_64"))]
unsafe fn forward(to: *mut u8, from: *const u8, count: usize) {
    let mut index = 0;
    // SAFETY: within what the caller allows.
    unsafe {
        while index + 8 <= count {
            let word = from.add(index).cast::<[u8; 8]>().read_volatile();
            to.add(index).cast::<[u8; 8]>().write_volatile(word);
            index += 8;
        }
        while index < count {
            to.add(index).write_volatile(from.add(index).read_volatile());
            index += 1;
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
unsafe fn fill(to: *mut u8, value: u8, count: usize) {
    let mut index = 0;
    while index < count {
        // SAFETY: within what the caller allows.
        unsafe { to.add(index).write_volatile(value) };
        index += 1;
    }
}

unsafe fn backward(to: *mut u8, from: *const u8, count: usize) {
    let mut index = count;
    while index > 0 {
        index -= 1;
        // SAFETY: within what the caller allows.
        unsafe { to.add(index).write_volatile(from.add(index).read_volatile()) };
    }
}
