//! 21: the outbox's folder may not be used, is somewhere else, or is not what it seems.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use tests::{Disk, Ledger, Load, Serve};

/// Root may do anything, so it gives up that right first.
const HUMBLE: [&str; 4] = ["setpriv", "--bounding-set", "-all", "--"];

fn entries(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

#[test]
fn a_folder_that_may_not_be_written_is_said_and_nothing_is_half_made() {
    if !tests::parts::program("setpriv") {
        return;
    }
    let mut ledger = Ledger::new(21, "permission denied, then given");
    let folder = tempfile::tempdir().unwrap();
    let closed = folder.path().join("closed");
    std::fs::create_dir(&closed).unwrap();
    let mode = |mode| std::fs::set_permissions(&closed, PermissionsExt::from_mode(mode)).unwrap();
    let spool = folder.path().join("spool");
    for outbox in [closed.clone(), closed.join("outbox")] {
        mode(0o500);
        let refused = Serve::ridge(&outbox).to_files(&spool).under(&HUMBLE).refused();
        refused.failed(69, &[closed.to_str().unwrap(), "ermission denied"]);
        assert_eq!((entries(&closed), spool.exists()), (0, false));
        mode(0o700);
    }
    let gateway = Serve::ridge(&closed).durable().to_files(&spool).under(&HUMBLE).start();
    let load = Load::start(gateway.port(), 2, "open");
    load.wait_for(20);
    ledger.acknowledge(load.end());
    ledger.close_on_files(&spool);
}

#[test]
fn a_folder_on_another_file_system_behind_a_link_is_fine() {
    let Some(disk) = Disk::tmpfs(16) else { return };
    let mut ledger = Ledger::new(21, "folder is a link to another file system");
    let folder = tempfile::tempdir().unwrap();
    let (outbox, spool) = (folder.path().join("outbox"), folder.path().join("spool"));
    symlink(disk.path(), &outbox).unwrap();
    let serve = || Serve::ridge(&outbox).settings(super::SMALL).durable().to_files(&spool);
    for part in ["first", "second"] {
        let gateway = serve().start();
        let load = Load::start(gateway.port(), 2, part);
        load.wait_for(100);
        gateway.kill();
        ledger.acknowledge(load.end());
    }
    let _gateway = serve().start();
    ledger.close_on_files(&spool);
}

/// A link in the place of a file of the outbox would make it write somewhere else.
#[test]
fn a_link_inside_the_folder_is_refused_and_not_followed() {
    let mut ledger = Ledger::new(21, "a link among the files");
    let folder = tempfile::tempdir().unwrap();
    let (outbox, spool) = (folder.path().join("outbox"), folder.path().join("spool"));
    let target = folder.path().join("target");
    std::fs::write(&target, "precious").unwrap();
    std::fs::create_dir(&outbox).unwrap();
    for name in ["LOCK", "durable.mark", "segment-0000000001.log", "filesystem.cursor"] {
        let link = outbox.join(name);
        symlink(&target, &link).unwrap();
        let refused = Serve::ridge(&outbox).to_files(&spool).refused();
        refused.failed(69, &[link.to_str().unwrap()]);
        assert_eq!(std::fs::read(&target).unwrap(), b"precious", "{name} was followed");
        std::fs::remove_file(link).unwrap();
    }
    let gateway = Serve::ridge(&outbox).durable().to_files(&spool).start();
    let load = Load::start(gateway.port(), 2, "clean");
    load.wait_for(20);
    ledger.acknowledge(load.end());
    ledger.close_on_files(&spool);
}
