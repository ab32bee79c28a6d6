//! The `portreeve` program.

fn main() -> std::process::ExitCode {
    portreeve::cli::main()
}
