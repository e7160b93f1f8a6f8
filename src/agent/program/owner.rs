//! The numbers of `user[:group]`, as a build finds them for `COPY --chown`: by the image's own `/etc/passwd` and
//! `/etc/group`.

use alloc::vec::Vec;

use super::sys;

const MAX_FILE: usize = 1 << 20;

/// User and group of a name, or what is missing.
pub fn owner(name: &[u8]) -> Result<(u32, u32), &'static str> {
    let file = |path: &[u8]| sys::read_file(path, MAX_FILE).unwrap_or_default();
    find(name, || file(b"/etc/passwd"), || file(b"/etc/group"))
}

fn find(name: &[u8], passwd: impl Fn() -> Vec<u8>, group: impl Fn() -> Vec<u8>) -> Result<(u32, u32), &'static str> {
    let mut halves = name.splitn(2, |byte| *byte == b':');
    let (user, group_name) = (halves.next().unwrap_or_default(), halves.next());
    let (uid, mut gid) = if user.is_empty() {
        (0, 0)
    } else if let Some(uid) = number(user) {
        // A number alone stands for the group as well.
        (uid, uid)
    } else {
        let passwd = passwd();
        let fields = record(&passwd, user).ok_or("there is no such user in /etc/passwd")?;
        let id = |index: usize| fields.get(index).and_then(|field| number(field));
        (id(2).ok_or("its line in /etc/passwd has no uid")?, id(3).ok_or("its line in /etc/passwd has no gid")?)
    };
    if let Some(name) = group_name.filter(|name| !name.is_empty()) {
        gid = if let Some(gid) = number(name) {
            gid
        } else {
            let group = group();
            let fields = record(&group, name).ok_or("there is no such group in /etc/group")?;
            fields.get(2).and_then(|field| number(field)).ok_or("its line in /etc/group has no gid")?
        };
    }
    Ok((uid, gid))
}

fn number(text: &[u8]) -> Option<u32> {
    core::str::from_utf8(text).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()
}

fn record<'a>(file: &'a [u8], name: &[u8]) -> Option<Vec<&'a [u8]>> {
    file.split(|byte| *byte == b'\n')
        .map(|line| line.split(|byte| *byte == b':').collect::<Vec<_>>())
        .find(|fields| fields.first().is_some_and(|first| *first == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_found_as_a_build_finds_them() {
        let passwd = || b"root:x:0:0:root:/root:/bin/sh\napp:x:1000:2000::/:/bin/sh\nbad:x\n".to_vec();
        let group = || b"root:x:0:\nstaff:x:50:app\n".to_vec();
        for (name, expected) in [
            ("app", Ok((1000, 2000))),
            ("app:staff", Ok((1000, 50))),
            ("app:7", Ok((1000, 7))),
            ("12", Ok((12, 12))),
            ("12:13", Ok((12, 13))),
            (":staff", Ok((0, 50))),
            ("nobody", Err("there is no such user in /etc/passwd")),
            ("app:nobody", Err("there is no such group in /etc/group")),
            ("bad", Err("its line in /etc/passwd has no uid")),
            ("+5", Err("there is no such user in /etc/passwd")),
        ] {
            assert_eq!(find(name.as_bytes(), passwd, group), expected, "{name}");
        }
    }
}
