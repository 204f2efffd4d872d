//! Loading a model touches nothing but its file: the system calls of loading every hostile file, and
//! the words that the code which reads files does not have.

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::hostile;
use keraunos::{LoadOptions, load_model_with};

/// Names the folder of files to the process that is traced.
const TRACED: &str = "KERAUNOS_TRACED";
/// What the traced process asks for before it loads the file of a number; nothing is there.
const BEGIN: &str = "/keraunos/begin/";
const END: &str = "/keraunos/end/";
/// Calls by path that tell of a file or a folder, and change neither.
const LOOKS: [&str; 7] =
    ["stat", "lstat", "newfstatat", "statx", "access", "readlink", "readlinkat"];
/// Calls about the process itself: threads come and go.
const OWN: [&str; 9] =
    ["clone", "clone3", "exit", "exit_group", "wait4", "waitid", "rt_sigaction", "prctl", "getcwd"];
/// What the standard library and the allocator ask the system when threads are made.
const SYSTEM: [&str; 4] =
    ["/proc/self/", "/sys/fs/cgroup", "/sys/devices/system/cpu", "/proc/sys/vm/"];

/// Honest files of every form, after the hostile ones.
const HONEST: [&str; 3] =
    ["docs_example.keras", "versions/3.15.1/functional.h5", "versions/3.15.1/sequential.keras"];

fn files(set: &Path) -> Vec<PathBuf> {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models");
    let hostile = hostile::cases(set).into_iter().map(|case| set.join(case.file));
    hostile.chain(HONEST.map(|name| models.join(name))).collect()
}

/// Whether this machine has a strace that may trace.
fn can_trace() -> bool {
    let mut command = Command::new("strace");
    command
        .args(["-f", "--seccomp-bpf", "-o", "/dev/null", "true"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[test]
#[ignore = "runs under strace, from the test below"]
fn traced_loads() {
    let Some(set) = std::env::var_os(TRACED).map(PathBuf::from) else { return };
    let files = files(&set);
    // What a process asks for once, such as the number of its processors, comes with the first load.
    load_model_with(files.last().unwrap(), &LoadOptions::default()).unwrap();
    let mark = |text: &str, i: usize| assert!(!Path::new(&format!("{text}{i}")).exists());
    let mut loaded = 0;
    for (i, file) in files.iter().enumerate() {
        mark(BEGIN, i);
        loaded += usize::from(load_model_with(file, &LoadOptions::default()).is_ok());
        mark(END, i);
    }
    assert!(loaded > HONEST.len(), "{loaded} files are loaded");
}

#[test]
fn loading_touches_nothing_but_the_file() {
    if !can_trace() {
        println!("skipped: no strace, or it may not trace here");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (set, log) = (folder.path().join("set"), folder.path().join("calls"));
    hostile::unpack(&set);
    let set = set.canonicalize().unwrap();
    let mut command = Command::new("strace");
    command.args([
        "-f",
        "--seccomp-bpf",
        "-qq",
        "-s",
        "4096",
        "-e",
        "trace=%file,%network,%process",
    ]);
    command.arg("-o").arg(&log).arg(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "traced_loads", "--test-threads", "1"]);
    let output = command.env(TRACED, &set).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let calls = String::from_utf8_lossy(&std::fs::read(&log).unwrap()).into_owned();
    let wrong = unexpected(&calls, &files(&set));
    assert!(wrong.is_empty(), "{} calls:\n{}", wrong.len(), wrong.join("\n"));
}

/// The calls between the marks of a file that have nothing to do with it.
fn unexpected(calls: &str, files: &[PathBuf]) -> Vec<String> {
    let mut current: Option<&Path> = None;
    let (mut seen, mut opened, mut wrong) = (0, false, Vec::new());
    for line in calls.lines() {
        let number = |mark: &str| {
            let (_, rest) = line.split_once(mark)?;
            rest.split('"').next()?.parse::<usize>().ok()
        };
        if let Some(i) = number(BEGIN) {
            (current, opened) = (Some(files[i].as_path()), false);
            seen += 1;
        } else if let Some(i) = number(END) {
            assert!(opened, "{} is not opened: the trace is not whole", files[i].display());
            current = None;
        } else if let Some(file) = current {
            let path = file.to_string_lossy();
            opened |= line.contains("open") && line.contains(&format!("\"{path}\""));
            if !is_expected(line, &path) {
                wrong.push(format!("{path}: {line}"));
            }
        }
    }
    assert_eq!(seen, files.len(), "the trace is not whole");
    wrong
}

/// Whether a call opens the file for reading, looks at it, or is about the process itself.
fn is_expected(line: &str, file: &str) -> bool {
    // `PID call("path", ...) = result`; the second half of a call that another one interrupted, and
    // what is said of signals and ends of threads, names nothing.
    let Some((head, arguments)) = line.split_once('(') else { return !line.contains('"') };
    let call = head.rsplit(' ').next().unwrap_or_default();
    let is_file = arguments.contains(&format!("\"{file}\""));
    let is_system = SYSTEM.iter().any(|path| arguments.contains(&format!("\"{path}")));
    let changes = ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC"];
    match call {
        "open" | "openat" | "openat2" => {
            (is_file || is_system) && !changes.iter().any(|flag| arguments.contains(flag))
        }
        // A look at a file that is open names no path.
        _ if LOOKS.contains(&call) => is_file || is_system || arguments.contains("AT_EMPTY_PATH"),
        _ => OWN.contains(&call) || line.contains("resumed>"),
    }
}

#[test]
fn other_calls_are_noticed() {
    let file = "/set/a.keras";
    for line in [
        r#"7 openat(AT_FDCWD, "/set/a.keras", O_RDONLY|O_CLOEXEC) = 3"#,
        r#"7 statx(AT_FDCWD, "/set/a.keras", AT_STATX_SYNC_AS_STAT, STATX_ALL, {}) = 0"#,
        r#"7 clone3({flags=CLONE_VM|CLONE_THREAD}, 88) = 8"#,
        "8 +++ exited with 0 +++",
        "7 <... clone3 resumed> => {parent_tid=[8]}, 88) = 8",
    ] {
        assert!(is_expected(line, file), "{line}");
    }
    for line in [
        r#"7 openat(AT_FDCWD, "/set/a.keras", O_RDWR|O_CLOEXEC) = 3"#,
        r#"7 openat(AT_FDCWD, "/set/canary", O_RDONLY|O_CLOEXEC <unfinished ...>"#,
        r#"7 openat(AT_FDCWD, "/tmp/x", O_WRONLY|O_CREAT, 0666) = 3"#,
        r#"7 mkdir("/set/a.keras", 0777) = 0"#,
        r#"7 unlink("/set/a.keras") = 0"#,
        r#"7 statx(AT_FDCWD, "/set/canary", AT_STATX_SYNC_AS_STAT, STATX_ALL, {}) = 0"#,
        r#"7 socket(AF_INET, SOCK_STREAM, IPPROTO_IP) = 3"#,
        r#"7 execve("/bin/sh", ["sh"], 0x7ffe) = 0"#,
    ] {
        assert!(!is_expected(line, file), "{line}");
    }
}

/// Ways out of the process, none of which the code that reads files has; and what of it is there in
/// spite of that, and why.
const WORDS: [&str; 12] = [
    "Command",
    "process",
    "libloading",
    "net",
    "TcpStream",
    "UdpSocket",
    "UnixStream",
    "File::create",
    "OpenOptions",
    "create_dir",
    "tempfile",
    "env",
];
const REASONS: [(&str, &str); 3] = [
    // The seam through which models are saved.
    ("saving/file_system/disk.rs", "File::create"),
    ("saving/file_system/disk.rs", "create_dir"),
    // Large deflated weights are inflated into a file without a name.
    ("saving/archive/member.rs", "tempfile"),
];
/// Modules that a file's bytes or what was made of them pass through, up to the devices.
const READERS: [&str; 19] = [
    "activations",
    "base",
    "constraints",
    "graph",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "operations",
    "optimizers",
    "program",
    "quantizers",
    "regularizers",
    "saving",
    "tensor",
    "trainers",
    "kernels",
    "lib.rs",
];

/// The Rust files at a path.
fn sources(at: &Path, found: &mut Vec<PathBuf>) {
    if at.is_dir() {
        let mut entries: Vec<_> = at.read_dir().unwrap().map(|e| e.unwrap().path()).collect();
        entries.sort();
        entries.iter().for_each(|entry| sources(entry, found));
    } else if at.extension().is_some_and(|ending| ending == "rs") && !at.ends_with("tests.rs") {
        found.push(at.into());
    }
}

/// Whether code has a word, as a whole, outside its comments.
fn has_word(code: &str, word: &str) -> bool {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '"');
    code.lines().map(|line| line.split("//").next().unwrap_or_default()).any(|line| {
        line.match_indices(word).any(|(at, _)| {
            let (before, behind) = (&line[..at], &line[at + word.len()..]);
            !is_part(before.chars().next_back()) && !is_part(behind.chars().next())
        })
    })
}

#[test]
fn the_code_that_reads_files_has_no_way_out() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for module in READERS {
        let at = root.join(module);
        assert!(at.exists(), "{module} is not there");
        sources(&at, &mut found);
    }
    assert!(found.len() > 400, "{} files", found.len());
    let mut wrong = Vec::new();
    for path in &found {
        let text = std::fs::read_to_string(path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let name = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
        let unreasoned = |word: &&&str| !REASONS.contains(&(name.as_str(), **word));
        let words = WORDS.iter().filter(|word| has_word(code, word)).filter(unreasoned);
        wrong.extend(words.map(|word| format!("{name}: {word}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(has_word("use std::process::Command;", "Command"));
    assert!(has_word("std::env::var(x)", "env") && !has_word("// env", "env"));
    assert!(!has_word("AtomicFile::create(x)", "File::create"));
}

/// What SECURITY.md says of a test is said of one that is there.
#[test]
fn the_tests_of_the_promises_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let tests: Vec<(&str, &str)> = text.split('`').filter_map(|s| s.split_once(".rs::")).collect();
    assert!(tests.len() >= 20, "{} tests", tests.len());
    for (file, name) in tests {
        let code = std::fs::read_to_string(root.join(format!("{file}.rs")));
        let code = code.unwrap_or_else(|e| panic!("{file}.rs: {e}"));
        assert!(code.contains(&format!("\nfn {name}()")), "{file}.rs has no test {name}");
    }
}
