//! A PostgreSQL server on a socket in a scratch folder, for as long as the test process lives.

use crate::leash::Leash;
use crate::parts;
use crate::patience::wait_until;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// Where Debian has what a server is started with, in a folder for each version; it is on no PATH.
const VERSIONS: &str = "/usr/lib/postgresql";
/// A server does not start for root; this is whom it starts for.
const AS: [&str; 6] = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"];

/// The server.
#[derive(Debug)]
pub struct Postgres {
    _leash: Leash,
    folder: PathBuf,
    programs: PathBuf,
}

impl Postgres {
    /// The one that this process shares; none where it is not installed, or nobody may start it.
    pub fn shared() -> Option<&'static Self> {
        static SERVER: OnceLock<Option<Postgres>> = OnceLock::new();
        SERVER.get_or_init(|| parts::root("starting PostgreSQL").then(Self::start)?).as_ref()
    }

    fn start() -> Option<Self> {
        let versions = std::fs::read_dir(VERSIONS).ok()?.filter_map(Result::ok);
        let programs = versions.map(|version| version.path().join("bin"));
        let programs = programs.filter(|programs| programs.join("initdb").exists()).max()?;
        let folder = tempfile::tempdir().expect("a temporary folder").keep();
        let owned = Command::new("chown").arg("postgres").arg(&folder).status();
        assert!(owned.expect("chown starts").success(), "the folder is the server's");
        let data = folder.join("data");
        let mut initdb = Command::new(AS[0]);
        initdb.args(&AS[1..]).arg(programs.join("initdb")).arg("-D").arg(&data);
        initdb.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]);
        let made = initdb.current_dir(&folder).output().expect("initdb starts");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let words = AS.map(Into::into).into_iter().chain([
            programs.join("postgres").into_os_string(),
            "-D".into(),
            data.into_os_string(),
            "-c".into(),
            "listen_addresses=".into(),
            "-c".into(),
            format!("unix_socket_directories={}", folder.display()).into(),
            "-c".into(),
            "fsync=off".into(),
        ]);
        let leash = Leash::start(&folder, words, []);
        let server = Self { _leash: leash, folder, programs };
        wait_until("PostgreSQL", || server.run("pg_isready", &[]).then_some(()));
        Some(server)
    }

    /// Makes a database and gives its address.
    ///
    /// # Panics
    ///
    /// When it is there already.
    pub fn database(&self, name: &str) -> String {
        assert!(self.run("createdb", &[name]), "a database is made");
        format!("postgres:///{name}?host={}&user=postgres", self.folder.display())
    }

    fn run(&self, program: &str, arguments: &[&str]) -> bool {
        let mut command = Command::new(self.programs.join(program));
        command.arg("-h").arg(&self.folder).args(["-U", "postgres"]).args(arguments);
        command.output().is_ok_and(|output| output.status.success())
    }
}
