//! Names without the parts that differ between things of one kind. Pure.

use crate::record::DescriptorKind;

/// A path or name with each run of digits replaced by `#`, and without a trailing ` (deleted)`.
pub(super) fn plain(name: &str) -> String {
    let name = name.trim().trim_end_matches(" (deleted)");
    let mut plain = String::new();
    for character in name.chars() {
        match character {
            '0'..='9' if plain.ends_with('#') => {}
            '0'..='9' => plain.push('#'),
            other => plain.push(other),
        }
    }
    plain
}

/// The kind and the name of a descriptor, from its link (`/proc/PID/fd/N`).
pub(super) fn descriptor(link: &str) -> (DescriptorKind, String) {
    if link.starts_with("socket:") {
        (DescriptorKind::Socket, String::new())
    } else if link.starts_with("pipe:") {
        (DescriptorKind::Pipe, String::new())
    } else if let Some(name) = link.strip_prefix("anon_inode:") {
        (DescriptorKind::AnonInode, plain(name.trim_matches(['[', ']'])))
    } else {
        (DescriptorKind::File, plain(link))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_only_by_numbers_is_one_kind() {
        assert_eq!(plain("/tmp/upload-12345.wav (deleted)"), "/tmp/upload-#.wav");
        assert_eq!(plain("ThreadPoolExecutor-0_12"), "ThreadPoolExecutor-#_#");
        assert_eq!(plain(""), "");
    }

    #[test]
    fn links_tell_what_a_descriptor_is() {
        assert_eq!(descriptor("socket:[123]"), (DescriptorKind::Socket, String::new()));
        assert_eq!(descriptor("pipe:[9]"), (DescriptorKind::Pipe, String::new()));
        assert_eq!(
            descriptor("anon_inode:[eventpoll]"),
            (DescriptorKind::AnonInode, "eventpoll".to_string())
        );
        assert_eq!(descriptor("/dev/null"), (DescriptorKind::File, "/dev/null".to_string()));
    }
}
