//! The program `hob`.

fn main() -> std::process::ExitCode {
    hob::main()
}
