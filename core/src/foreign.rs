//! What others have put into the platform's things: a destroy would take it along, or AWS would refuse the destroy for it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::scope::Tags;

/// How many are told of one by one.
pub(crate) const TOLD: usize = 40;

/// A resource that is not the platform's and is in its way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Foreign {
    /// AWS's word for the resource.
    pub kind: String,
    /// Its id, name or ARN.
    pub id: String,
    /// How it is tied to the platform, as a sentence goes on: `is in VPC vpc-1`.
    pub tie: String,
    /// Its tags, where it has any.
    pub tags: Tags,
}

impl Foreign {
    /// A resource without tags.
    pub fn new(kind: &str, id: impl Into<String>, tie: impl Into<String>) -> Self {
        Foreign { kind: kind.into(), id: id.into(), tie: tie.into(), tags: Tags::new() }
    }

    /// The same with these tags.
    #[must_use]
    pub fn tagged(self, tags: Tags) -> Self {
        Foreign { tags, ..self }
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tags: Vec<String> = self.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let tags = if tags.is_empty() { "no tags".into() } else { format!("tags {}", tags.join(", ")) };
        write!(f, "{} {} ({tags}) {}", self.kind, self.id, self.tie)
    }
}

#[cfg(test)]
mod tests {
    use super::{Foreign, TOLD};
    use crate::listing::lines;

    #[test]
    fn each_is_told_with_its_tags_and_a_long_list_has_an_end() {
        let tagged =
            Foreign::new("subnet", "subnet-1", "is in VPC vpc-1").tagged([("owner".into(), "a".into())].into());
        let bare = Foreign::new("VPC endpoint", "vpce-1", "is in VPC vpc-1");
        let text = lines(&[tagged, bare.clone()], TOLD);
        assert_eq!(
            text,
            "\n- subnet subnet-1 (tags owner=a) is in VPC vpc-1\n- VPC endpoint vpce-1 (no tags) is in VPC vpc-1"
        );
        let many = vec![bare; TOLD + 2];
        assert!(lines(&many, TOLD).ends_with("\n- and 2 more"));
    }
}
