use std::time::Duration;

use portreeve_pkix::Timestamp;
use portreeve_ra::{Refusal, ValidityPeriod};

use crate::engine::{Draft, Question, Reasons};
use crate::profile::{OutsideLimits, RequestedTimes, ValidityRules};
use portreeve_pkix::duration::Spelled;

/// A client whose clock is ahead by so much may ask for a beginning "now".
const CLOCK_SKEW_MAX: Duration = Duration::from_secs(300);
const SECOND: Duration = Duration::from_secs(1);

/// The contents hold durations, so a beginning in the future cannot be certified and is refused.
///
/// An end that is asked for is met to the second when the certificate is made at the time of judgement. Where the
/// longest lifetime leaves no room for all of the back-dating, notBefore moves closer; an end that lies exactly the
/// longest lifetime ahead is met but for its last second, for both ends count.
pub(super) fn judge(question: &Question<'_>, draft: &mut Draft, reasons: &mut Reasons) {
    let rules = &question.profile.validity;
    draft.validity = ValidityPeriod {
        backdate: rules.backdate,
        lifetime: rules.default,
    };
    let (begin, end) = (question.facts.not_before_asked, question.facts.not_after_asked);
    if begin.is_none() && end.is_none() {
        return reasons.applied(format!("{} from the profile", spelled(draft.validity)));
    }
    if rules.requested == RequestedTimes::Ignore {
        return reasons.dropped(format!("times that are asked for; {}", spelled(draft.validity)));
    }
    match asked_for(rules, question.facts.now, begin, end) {
        Err(reason) => reasons.refuse(Refusal::Validity(reason)),
        Ok(period) => {
            draft.validity = period;
            reasons.applied(format!("{} as asked for", spelled(period)));
        }
    }
}

fn asked_for(
    rules: &ValidityRules,
    now: Timestamp,
    begin: Option<Timestamp>,
    end: Option<Timestamp>,
) -> Result<ValidityPeriod, String> {
    let now = now.floor_to_second();
    let asked_backdate = begin
        .map(|begin| backdate(rules, now, begin.floor_to_second()))
        .transpose()?;
    match end {
        Some(end) => period(rules, asked_backdate, remaining(now, end.floor_to_second())?),
        None => Ok(ValidityPeriod {
            backdate: asked_backdate.unwrap_or(rules.backdate),
            lifetime: rules.default,
        }),
    }
}

fn remaining(now: Timestamp, end: Timestamp) -> Result<Duration, String> {
    if end > now {
        Ok(end.since(now))
    } else {
        Err("the end lies in the past".to_owned())
    }
}

/// How far the beginning lies in the past. One that lay there when it was asked for, a little before it is judged,
/// may be somewhat further back than the profile says.
fn backdate(rules: &ValidityRules, now: Timestamp, begin: Timestamp) -> Result<Duration, String> {
    if begin.since(now) > CLOCK_SKEW_MAX {
        return Err("a beginning in the future is not supported".to_owned());
    }
    let backdate = now.since(begin);
    if backdate <= rules.backdate.max(CLOCK_SKEW_MAX) {
        return Ok(backdate);
    }
    match rules.outside {
        OutsideLimits::Cap => Ok(rules.backdate),
        OutsideLimits::Refuse => Err(format!(
            "the beginning lies more than {} in the past",
            Spelled(rules.backdate)
        )),
    }
}

/// The period whose end lies so far ahead; both its ends count (RFC 5280 section 4.1.2.5).
fn period(
    rules: &ValidityRules,
    asked_backdate: Option<Duration>,
    remaining: Duration,
) -> Result<ValidityPeriod, String> {
    let room = rules.max.saturating_sub(remaining);
    if remaining > rules.max || asked_backdate.is_some_and(|backdate| backdate > room) {
        let backdate = asked_backdate.unwrap_or(rules.backdate);
        return match rules.outside {
            OutsideLimits::Cap => Ok(ValidityPeriod {
                backdate,
                lifetime: rules.max,
            }),
            OutsideLimits::Refuse => Err(format!("longer than {}", Spelled(rules.max))),
        };
    }
    let remaining = match rules.outside {
        _ if remaining.saturating_add(SECOND) >= rules.min => remaining,
        OutsideLimits::Cap => rules.min,
        OutsideLimits::Refuse => return Err(format!("ends in less than {}", Spelled(rules.min))),
    };
    let backdate = asked_backdate.unwrap_or(rules.backdate.min(room.saturating_sub(SECOND)));
    let lifetime = remaining
        .saturating_add(SECOND)
        .saturating_add(backdate)
        .min(rules.max);
    Ok(ValidityPeriod { backdate, lifetime })
}

fn spelled(period: ValidityPeriod) -> String {
    format!(
        "{}, beginning {} back",
        Spelled(period.lifetime),
        Spelled(period.backdate)
    )
}

#[cfg(test)]
mod tests;
