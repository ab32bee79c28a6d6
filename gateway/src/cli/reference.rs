//! `docs/commands.md`: every command with its options, as the program itself describes them.

use std::collections::BTreeSet;
use std::fmt::Write;

use clap::builder::StyledStr;
use clap::{Arg, Command, CommandFactory};

use super::Cli;

const HEAD: &str = "# Commands\n\n\
Every command of `portreeve` with its options, made from the program itself: a test keeps this page true (`BLESS=1 cargo test -p\n\
portreeve --lib reference` writes it anew). `portreeve COMMAND --help` says the same. Guides: [EST](est.md), [objects](objects.md),\n\
[approvals](approvals.md), [registrations](registrations.md), [searching](search.md), [audit log](audit.md).\n\n\
Exit codes: 0 done; 1 failed; 2 wrong usage; 3 and 4 warnings and errors of `doctor`; 5 denied.\n\n";

/// Options that are understood everywhere, and the names of those that say which gateway.
struct Common {
    everywhere: BTreeSet<String>,
    target: BTreeSet<String>,
}

impl Common {
    fn of(root: &Command) -> Self {
        let globals = |command: &Command| {
            let args = command.get_arguments().filter(|arg| arg.is_global_set());
            args.map(|arg| arg.get_id().to_string()).collect::<BTreeSet<_>>()
        };
        // Every command that asks a gateway takes the same ones; `whoami` takes nothing else.
        let target = root.find_subcommand("whoami").map(globals).unwrap_or_default();
        Self {
            everywhere: globals(root),
            target,
        }
    }
}

fn page() -> String {
    let root = Cli::command();
    let common = Common::of(&root);
    let mut page = HEAD.to_owned();
    page.push_str("## Options of every command\n\n");
    options(&mut page, root.get_arguments().filter(|arg| arg.is_global_set()));
    page.push_str("## Which gateway\n\nCommands about a gateway find it with these options, by its data directory `./portreeve-data` without any.\n\n");
    if let Some(whoami) = root.find_subcommand("whoami") {
        options(
            &mut page,
            whoami
                .get_arguments()
                .filter(|arg| common.target.contains(arg.get_id().as_str())),
        );
    }
    for noun in root.get_subcommands().filter(|command| !command.is_hide_set()) {
        command(&mut page, noun, ("portreeve", 2), &common);
    }
    while page.ends_with("\n\n") {
        page.pop();
    }
    page
}

fn command(page: &mut String, this: &Command, (before, level): (&str, usize), common: &Common) {
    let path = format!("{before} {}", this.get_name());
    let own = |arg: &&Arg| {
        let id = arg.get_id().as_str();
        !arg.is_hide_set()
            && !common.everywhere.contains(id)
            && !common.target.contains(id)
            && id != "help"
            && id != "version"
    };
    let arguments: Vec<&Arg> = this.get_arguments().filter(own).collect();
    let mut usage = path.clone();
    for arg in arguments.iter().filter(|arg| arg.is_positional()) {
        let _ = write!(usage, " {}", positional(arg));
    }
    let _ = writeln!(page, "{} `{usage}`\n", "#".repeat(level));
    let about = this.get_long_about().or_else(|| this.get_about());
    page.push_str(&about.map(text).unwrap_or_default());
    let asks = this
        .get_arguments()
        .any(|arg| common.target.contains(arg.get_id().as_str()));
    if asks && level == 2 {
        page.push_str(" It takes the options that say [which gateway](#which-gateway).");
    }
    page.push_str("\n\n");
    options(page, arguments);
    for verb in this
        .get_subcommands()
        .filter(|verb| verb.get_name() != "help" && !verb.is_hide_set())
    {
        command(page, verb, (&path, level + 1), common);
    }
}

fn options<'a>(page: &mut String, arguments: impl IntoIterator<Item = &'a Arg>) {
    let mut rows = String::new();
    for arg in arguments {
        let _ = writeln!(rows, "| `{}` | {} |", spelled(arg), described(arg));
    }
    if !rows.is_empty() {
        let _ = writeln!(page, "| | |\n|---|---|\n{rows}");
    }
}

fn positional(arg: &Arg) -> String {
    let name = value(arg);
    match arg.is_required_set() {
        true => name,
        false => format!("[{name}]"),
    }
}

fn value(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    match names.first() {
        Some(name) => name.to_string(),
        None => arg.get_id().as_str().to_uppercase().replace('-', "_"),
    }
}

fn spelled(arg: &Arg) -> String {
    if arg.is_positional() {
        return positional(arg);
    }
    let mut spelled = arg
        .get_short()
        .map(|short| format!("-{short}, "))
        .unwrap_or_default();
    let _ = write!(spelled, "--{}", arg.get_long().unwrap_or_default());
    if arg.get_action().takes_values() {
        let _ = write!(spelled, " {}", value(arg));
    }
    spelled
}

fn described(arg: &Arg) -> String {
    let help = arg.get_long_help().or_else(|| arg.get_help());
    let mut described = help
        .map(text)
        .unwrap_or_default()
        .replace('\n', " ")
        .replace('|', "\\|");
    let possible = arg.get_possible_values();
    let words: Vec<&str> = possible
        .iter()
        .filter(|one| !one.is_hide_set())
        .map(|one| one.get_name())
        .collect();
    if arg.get_action().takes_values() && !words.is_empty() {
        let _ = write!(described, " One of `{}`.", words.join("`, `"));
    }
    let defaults: Vec<String> = arg
        .get_default_values()
        .iter()
        .map(|one| one.to_string_lossy().into_owned())
        .collect();
    if arg.get_action().takes_values() && defaults.iter().any(|one| !one.is_empty()) {
        let _ = write!(described, " Default `{}`.", defaults.join("`, `"));
    }
    described.trim().to_owned()
}

/// A description, ending with a full stop as it is written in the code.
fn text(described: &StyledStr) -> String {
    let text = described.to_string();
    match text.trim_end() {
        "" => String::new(),
        text if text.ends_with(['.', ':']) => text.to_owned(),
        text => format!("{text}."),
    }
}

#[test]
fn the_reference_is_that_of_the_program() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/commands.md");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, page()).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == page(),
        "docs/commands.md differs from the program: run BLESS=1 cargo test -p portreeve --lib reference"
    );
}

/// The guides and this page name no command that is not there.
#[test]
fn what_the_documents_name_is_there() {
    let root = Cli::command();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let mut pages = vec![
        format!("{folder}/README.md"),
        format!("{folder}/SECURITY.md"),
        format!("{folder}/deploy/README.md"),
    ];
    for entry in std::fs::read_dir(format!("{folder}/docs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path.display().to_string());
        }
    }
    let mut named = 0;
    for page in pages {
        let text = std::fs::read_to_string(&page).unwrap();
        for rest in text.split("portreeve ").skip(1) {
            let words = rest.split_whitespace().next().unwrap_or_default();
            // `request list|show`, and words of prose.
            let noun = words.split(['|', '`', ',', '.', ')']).next().unwrap_or_default();
            let Some(command) = root.find_subcommand(noun) else {
                continue;
            };
            named += 1;
            let verbs = rest.split_whitespace().nth(1).unwrap_or_default();
            let is_word = |verb: &&str| {
                !verb.is_empty()
                    && verb
                        .bytes()
                        .all(|octet| octet.is_ascii_lowercase() || octet == b'-')
                    && !verb.starts_with('-')
            };
            // The first line of what evidence signs.
            let is_statement = rest.starts_with("approval evidence");
            if is_statement || words != noun || command.get_subcommands().next().is_none() {
                continue;
            }
            for verb in verbs
                .trim_end_matches(['`', '.', ',', ')', ';', ':'])
                .split('|')
                .filter(is_word)
            {
                let is_there = command.find_subcommand(verb).is_some();
                assert!(is_there, "{page}: portreeve {noun} {verb}");
            }
        }
    }
    assert!(named > 40, "{named}");
}
