//! A network of one cable: a network namespace, and a pair of virtual interfaces between it and this one.

use crate::disk::succeeded;
use crate::parts;
use std::process::Command;

/// A cable with a namespace at its far end. Dropped, both are gone; processes at the far end are gone by then.
#[derive(Debug)]
pub struct Cable {
    name: String,
    far: String,
    /// The option of `nsenter` that names the namespace.
    net: String,
}

impl Cable {
    /// Lays the cable, or none when the story has to be skipped. There is one for each test process.
    pub fn lay() -> Option<Self> {
        if !parts::root("a network of its own") || !parts::program("ip") {
            return None;
        }
        let pid = std::process::id();
        // Addresses that are set aside for tests of networks, four for each process.
        let [_, _, third, fourth] = ((pid << 2) & 0xffff).to_be_bytes();
        let name = format!("ob{pid}");
        let net = format!("--net=/run/netns/{name}");
        let cable = Self { name, far: format!("198.18.{third}.{}", fourth + 2), net };
        let name = &cable.name;
        let made = Command::new("ip").args(["netns", "add", name]).output();
        if !made.is_ok_and(|made| made.status.success()) {
            parts::skip("network namespaces cannot be made here");
            return None;
        }
        let near = format!("198.18.{third}.{}/30", fourth + 1);
        let (inner, outer, far) = (cable.far_end(), cable.near_end(), format!("{}/30", cable.far));
        for words in [
            vec!["link", "add", &outer, "type", "veth", "peer", "name", &inner, "netns", name],
            vec!["addr", "add", &near, "dev", &outer],
            vec!["link", "set", &outer, "up"],
            vec!["-n", name, "addr", "add", &far, "dev", &inner],
            vec!["-n", name, "link", "set", &inner, "up"],
            vec!["-n", name, "link", "set", "lo", "up"],
        ] {
            succeeded(Command::new("ip").args(words));
        }
        Some(cable)
    }

    /// The address of the far end.
    pub fn far(&self) -> &str {
        &self.far
    }

    /// What goes before a command line that is to run at the far end. `ip netns exec` would do more: it makes a second
    /// set of all mounts, which keeps the disks of other stories from being unmounted.
    pub fn words(&self) -> [&str; 2] {
        ["nsenter", &self.net]
    }

    /// The far end is pulled out: packets vanish, and nobody is told.
    pub fn cut(&self) {
        succeeded(Command::new("ip").args([
            "-n",
            &self.name,
            "link",
            "set",
            &self.far_end(),
            "down",
        ]));
    }

    /// Undoes [`Cable::cut`].
    pub fn mend(&self) {
        succeeded(Command::new("ip").args([
            "-n",
            &self.name,
            "link",
            "set",
            &self.far_end(),
            "up",
        ]));
    }

    /// The interface here is switched off: there is no way to the far end.
    pub fn switch_off(&self) {
        succeeded(Command::new("ip").args(["link", "set", &self.near_end(), "down"]));
    }

    /// Undoes [`Cable::switch_off`].
    pub fn switch_on(&self) {
        succeeded(Command::new("ip").args(["link", "set", &self.near_end(), "up"]));
    }

    fn near_end(&self) -> String {
        format!("{}n", self.name)
    }

    fn far_end(&self) -> String {
        format!("{}f", self.name)
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        // One end takes the other with it. Both fail only when they are gone already.
        drop(Command::new("ip").args(["link", "del", &self.near_end()]).output());
        drop(Command::new("ip").args(["netns", "del", &self.name]).output());
    }
}
