//! Which images nothing needs any more.

use std::collections::{BTreeMap, BTreeSet};

use super::{BY_DIGEST, is_delta, labels};
use crate::model::{Digest, ImageId, ObservedImage};

/// Of each service so many of the newest images stay when a newer one is built: a switch to a branch that was built
/// before finds its image.
pub const KEPT_IMAGES: usize = 5;
/// With so many they are left alone: the engine is slow at removing, and need not do it at each build.
pub const PRUNED_ABOVE: usize = 10;

/// The images that hob built, that have no other name than their digest, and that no container uses, without the
/// newest `keep` images of each service. Oldest first.
pub fn superseded<'a>(images: &'a [ObservedImage], used: &BTreeSet<ImageId>, keep: usize) -> Vec<&'a ObservedImage> {
    let mut services: BTreeMap<[Option<&String>; 2], Vec<&ObservedImage>> = BTreeMap::new();
    for image in images.iter().filter(|image| image.labels.contains_key(labels::INPUTS)) {
        let service = [labels::PROJECT, labels::SERVICE].map(|label| image.labels.get(label));
        services.entry(service).or_default().push(image);
    }
    let mut superseded = Vec::new();
    for mut images in services.into_values() {
        images.sort_by_key(|image| std::cmp::Reverse(image.tagged));
        let old = images.into_iter().skip(keep);
        superseded.extend(old.filter(|image| !used.contains(&image.id) && is_by_digest_only(image)));
    }
    superseded.sort_by_key(|image| image.tagged);
    // What an image that stays was made of by one layer frees next to nothing, and the next layer goes onto it too.
    let goes: BTreeSet<&ImageId> = superseded.iter().map(|image| &image.id).collect();
    let below: Vec<Digest> = images.iter().filter(|image| !goes.contains(&image.id)).filter_map(is_delta).collect();
    superseded.retain(|image| below.iter().all(|digest| image.labels[labels::INPUTS] != digest.as_str()));
    superseded
}

fn is_by_digest_only(image: &ObservedImage) -> bool {
    image.tags.iter().all(|tag| tag.starts_with(BY_DIGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(id: &str, service: &str, tagged: i64, tags: &[&str]) -> ObservedImage {
        let labels = [(labels::INPUTS, "d"), (labels::PROJECT, "shop"), (labels::SERVICE, service)];
        ObservedImage {
            id: ImageId::new(id),
            tags: tags.iter().map(ToString::to_string).collect(),
            labels: labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            tagged,
            ..ObservedImage::default()
        }
    }

    #[test]
    fn the_newest_of_each_service_stay_and_what_is_used_or_named() {
        let mut images = vec![
            image("api-1", "api", 1, &["hob-build:a1"]),
            image("api-2", "api", 2, &["hob-build:a2"]),
            image("api-3", "api", 3, &["hob-build:a3", "mine:1"]),
            image("api-4", "api", 4, &[]),
            image("api-5", "api", 5, &["hob-build:a5"]),
            image("api-6", "api", 6, &["hob-build:a6", "shop-api:latest"]),
            image("web-1", "web", 0, &["hob-build:w1"]),
            image("web-2", "web", 1, &["hob-build:w2"]),
        ];
        // Not hob's.
        images.push(ObservedImage { labels: indexmap::IndexMap::new(), ..image("x", "api", 0, &[]) });
        let used = BTreeSet::from([ImageId::new("api-1")]);
        let ids = |keep| superseded(&images, &used, keep).iter().map(|i| i.id.to_string()).collect::<Vec<_>>();
        assert_eq!(ids(2), ["api-2", "api-4"]);
        assert_eq!(ids(0), ["web-1", "web-2", "api-2", "api-4", "api-5"]);
        assert!(ids(6).is_empty());
    }

    #[test]
    fn what_a_delta_that_stays_is_on_stays() {
        let digest = Digest::of(b"whole").to_string();
        let mut whole = image("whole", "api", 1, &["hob-build:a1"]);
        whole.labels.insert(labels::INPUTS.to_owned(), digest.clone());
        let mut delta = image("delta", "api", 2, &["hob-build:a2", "shop-api:latest"]);
        delta.labels.insert(labels::DELTA.to_owned(), digest.clone());
        let mut old = image("old", "api", 0, &["hob-build:a0"]);
        old.labels.insert(labels::DELTA.to_owned(), digest);
        let ids = |images: &[ObservedImage]| {
            superseded(images, &BTreeSet::new(), 0).iter().map(|i| i.id.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(ids(&[old.clone(), whole.clone(), delta]), ["old"]);
        assert_eq!(ids(&[old, whole]), ["old", "whole"]);
    }
}
