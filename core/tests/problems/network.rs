//! The VPC's block.

use skydeck_core::spec::parse;

use crate::golden::{File, golden, minimal};

fn block(cidr: &str, zones: u32) -> File {
    minimal().and(&format!("[network]\ncidr = \"{cidr}\"\nzones = {zones}"))
}

fn names(names: &str) -> File {
    minimal().and(&format!("[network]\nzone-names = [{names}]"))
}

golden! {
    a_block_that_is_none_is_told: block("10.0.0.0", 2);
    a_block_that_is_not_canonical_is_told_with_the_right_one: block("10.0.1.0/16", 2);
    a_block_larger_than_a_vpc_is_told: block("10.0.0.0/8", 2);
    a_block_too_small_for_its_zones_is_told_with_the_size_needed: block("10.0.0.0/26", 3);
    a_block_too_small_for_the_default_zones_is_told: minimal().and("[network]\ncidr = \"10.0.0.0/28\"");
    the_block_that_docker_uses_is_told: block("172.17.0.0/20", 2);
    a_block_that_docker_uses_part_of_is_told: block("172.17.128.0/24", 2);
    a_single_zone_is_told: block("10.0.0.0/16", 1);
    zones_that_are_named_and_counted_are_told: names("\"eu-central-1a\", \"eu-central-1b\"").with("[network]", "[network]\nzones = 2");
    a_single_zone_that_is_named_is_told: names("\"eu-central-1a\"");
    a_zone_that_is_named_twice_is_told: names("\"eu-central-1a\", \"eu-central-1b\", \"eu-central-1a\"");
    a_zone_that_is_none_is_told: names("\"eu-central-1\", \"1a\"");
    a_zone_of_another_region_is_told: names("\"eu-central-1a\", \"eu-west-1b\"");
}

#[test]
fn the_smallest_block_for_its_zones_is_fine() {
    for (cidr, zones) in [("10.0.0.0/26", 2), ("10.0.0.0/25", 3), ("10.0.0.0/25", 4), ("10.0.0.0/24", 5)] {
        parse("platform.toml", &block(cidr, zones).0).unwrap_or_else(|problems| panic!("{problems}"));
    }
}

#[test]
fn zones_that_are_named_are_these_and_no_others() {
    let platform = parse("platform.toml", &names("\"eu-central-1c\", \"eu-central-1a\"").0).unwrap();
    assert_eq!(
        (platform.network.zones, platform.network.zone_names),
        (2, ["eu-central-1a", "eu-central-1c"].map(Into::into).to_vec())
    );
}
