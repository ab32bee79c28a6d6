//! The command line: noun then verb, one file per command.

mod apply;
mod approval;
mod audit;
mod ca;
mod cert;
mod completions;
mod config;
mod csv;
mod decision;
mod dev;
mod doctor;
mod eab;
mod ending;
mod error;
mod export;
mod health;
mod migrate;
mod object;
mod operator;
mod output;
mod paging;
mod profile;
#[cfg(test)]
mod reference;
mod registration;
mod request;
mod serve;
mod signer;
mod target;
mod text_object;
mod token;
mod waiting;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use portreeve_queue::SystemRandom;
use portreeve_ra::ObjectKind;
use portreeve_ra::ports::Random;

pub use error::{CliError, Exit};
pub use output::{Format, Output, Table, Tone};
use output::{aligned, beginning, plain};
pub use target::{Target, configured_socket};

/// PKI protocol gateway and Registration Authority.
#[derive(Debug, Parser)]
#[command(
    name = "portreeve",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
pub struct Cli {
    /// How results are printed.
    #[arg(long, global = true, value_enum, default_value_t)]
    output: Format,
    /// Asks no questions.
    #[arg(long, global = true)]
    yes: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the gateway by a configuration file.
    Serve(serve::Arguments),
    /// Runs a whole gateway on this machine, for development and trials.
    Dev(dev::Arguments),
    /// Shows or brings up to date the schema of the store.
    Migrate(migrate::Arguments),
    /// Checks, shows or describes the configuration.
    Config(config::Arguments),
    /// Puts the objects of a directory in force.
    Apply(apply::Arguments),
    /// Writes every object in force into a directory.
    Export(export::Arguments),
    /// Creates and lists certificate authorities.
    Ca(ca::Arguments),
    /// Lists, tries out, drafts, publishes, retires certificate profiles.
    Profile(profile::Arguments),
    /// Lists, drafts, publishes, retires endpoints.
    Endpoint(object::Arguments),
    /// Lists, drafts, publishes, retires approval policies.
    ApprovalPolicy(object::Arguments),
    /// Lists, drafts, publishes, retires trust anchors of client certificates.
    TrustAnchors(object::Arguments),
    /// Lists and decides on requests for certificates.
    Request(request::Arguments),
    /// Creates, lists and changes end entities that are known beforehand, and their secrets.
    Registration(registration::Arguments),
    /// Makes, lists and revokes external account keys of ACME.
    Eab(eab::Arguments),
    /// Lists and decides on proposals about anything but requests.
    Approval(approval::Arguments),
    /// Lists certificates.
    Cert(cert::Arguments),
    /// Shows what a person must look at.
    Audit(audit::Arguments),
    /// Lists, makes, disables operators, and what they sign in with.
    Operator(operator::Arguments),
    /// Lists and puts in force roles of operators.
    Role(text_object::Arguments),
    /// Lists and puts in force teams of operators.
    Team(text_object::Arguments),
    /// Makes, lists, revokes tokens.
    Token(token::Arguments),
    /// Says who you are to the gateway, and what you may do.
    Whoami(token::WhoAmIArguments),
    /// Examines an installation and says what is wrong.
    Doctor(doctor::Arguments),
    /// Says whether a running gateway is ready.
    Health(health::Arguments),
    /// Prints a completion script for a shell.
    Completions(completions::Arguments),
    /// The process that holds CA keys; started by the gateway.
    #[command(hide = true)]
    Signer(signer::Arguments),
}

/// What every command gets besides its own arguments.
#[derive(Copy, Clone, Debug)]
pub struct Surroundings {
    /// Where results are printed.
    pub output: Output,
    /// Whether questions are answered with yes.
    pub yes: bool,
}

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let around = Surroundings {
        output: Output::new(cli.output),
        yes: cli.yes,
    };
    match run(cli.command, around) {
        Ok(exit) => exit.into(),
        // Whoever read the output has had enough of it: no failure.
        Err(CliError::Print(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => Exit::Fine.into(),
        Err(error) => {
            report(&error);
            error.exit().into()
        }
    }
}

fn run(command: Command, around: Surroundings) -> Result<Exit, CliError> {
    // The signer child serves its keys without any of the rest, a thread pool included.
    if let Command::Signer(arguments) = command {
        return signer::run(arguments);
    }
    warm_up();
    crate::listener::tls::install_provider();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(CliError::Runtime)?;
    let exit = runtime.block_on(dispatch(command, around));
    // Blocking calls that outlived their purpose (name look-ups) do not hold the process.
    runtime.shutdown_background();
    exit
}

async fn dispatch(command: Command, around: Surroundings) -> Result<Exit, CliError> {
    match command {
        Command::Serve(arguments) => serve::run(arguments).await,
        Command::Dev(arguments) => dev::run(arguments, around).await,
        Command::Migrate(arguments) => migrate::run(arguments, around).await,
        Command::Config(arguments) => config::run(arguments, around),
        Command::Apply(arguments) => apply::run(arguments, around).await,
        Command::Ca(arguments) => ca::run(arguments, around).await,
        Command::Profile(arguments) => profile::run(arguments, around).await,
        Command::Export(arguments) => export::run(arguments, around).await,
        Command::Endpoint(arguments) => object::run(arguments, ObjectKind::Endpoint, around).await,
        Command::ApprovalPolicy(arguments) => {
            object::run(arguments, ObjectKind::ApprovalPolicy, around).await
        }
        Command::TrustAnchors(arguments) => object::run(arguments, ObjectKind::TrustAnchors, around).await,
        Command::Request(arguments) => request::run(arguments, around).await,
        Command::Registration(arguments) => registration::run(arguments, around).await,
        Command::Eab(arguments) => eab::run(arguments, around).await,
        Command::Approval(arguments) => approval::run(arguments, around).await,
        Command::Cert(arguments) => cert::run(arguments, around).await,
        Command::Audit(arguments) => audit::run(arguments, around).await,
        Command::Operator(arguments) => operator::run(arguments, around).await,
        Command::Role(arguments) => text_object::run(arguments, "/api/v1/roles", around).await,
        Command::Team(arguments) => text_object::run(arguments, "/api/v1/teams", around).await,
        Command::Token(arguments) => token::run(arguments, around).await,
        Command::Whoami(arguments) => token::who(arguments, around).await,
        Command::Doctor(arguments) => doctor::run(arguments, around).await,
        Command::Health(arguments) => health::run(arguments, around).await,
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Signer(arguments) => signer::run(arguments),
    }
}

/// The cryptographic library gathers entropy before its first random octet, which takes tens of milliseconds: let it
/// begin while files are read. Whoever needs chance waits for it anyway, so it does not matter if this fails.
fn warm_up() {
    let gather = || SystemRandom.fill(&mut [0]);
    let _ = std::thread::Builder::new()
        .name("entropy".to_owned())
        .spawn(gather);
}

fn report(error: &CliError) {
    let mut stream = std::io::stderr().lock();
    let _ = writeln!(stream, "portreeve: {error}");
    if let Some(advice) = error.advice() {
        let _ = writeln!(stream, "  {advice}");
    }
}

#[cfg(test)]
mod tests {
    use clap::{Arg, Command, CommandFactory};

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }

    /// An option that is understood everywhere below a command would take the place of one of the same name there.
    fn shadowed(command: &Command, inherited: &[&Arg], path: &str) {
        let path = format!("{path} {}", command.get_name());
        let own: Vec<&Arg> = command.get_arguments().collect();
        for arg in &own {
            let same = |other: &&Arg| {
                other.get_id() == arg.get_id()
                    || (arg.get_long().is_some() && other.get_long() == arg.get_long())
            };
            assert!(!inherited.iter().any(same), "{path}: {}", arg.get_id());
        }
        let below: Vec<&Arg> = inherited
            .iter()
            .copied()
            .chain(own.into_iter().filter(|arg| arg.is_global_set()))
            .collect();
        for verb in command.get_subcommands() {
            shadowed(verb, &below, &path);
        }
    }

    #[test]
    fn no_option_hides_another() {
        shadowed(&super::Cli::command(), &[], "");
    }
}
