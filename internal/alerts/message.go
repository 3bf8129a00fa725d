package alerts

import (
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"padron/internal/runs"
	"padron/internal/webhook"
)

const (
	// recovered is the kind of the message about the end of a condition.
	recovered = "recovered"
	// maxReason bounds a reason in a message, in characters; `starter status`
	// shows the whole of it.
	maxReason = 1000
)

// Message says an alert to people and to programs, with times in the dataset's
// zone.
func Message(dataset string, zone *time.Location, a Alert) webhook.Message {
	reason := a.Reason
	if r := []rune(reason); len(r) > maxReason {
		reason = string(r[:maxReason-1]) + "…"
	}
	d := webhook.Details{
		ID: a.Message, Kind: string(a.ID), Condition: string(a.ID), Dataset: dataset,
		Run: a.Run, Job: a.Job, Status: string(a.Status), Outcome: string(a.Outcome),
		Reason: reason, Next: a.Next, Since: a.Since, At: a.Changed,
	}
	if a.Counts != (runs.Counts{}) {
		d.Counts = a.Counts
	}
	var b strings.Builder
	title := title(a)
	if !a.Open {
		d.Kind = recovered
		title = "recovered: " + title
	}
	fmt.Fprintf(&b, "*%s: %s*\n%s", webhook.Escape(dataset), webhook.Escape(title), webhook.Escape(reason))
	if !a.Open {
		fmt.Fprintf(&b, "\nIt was so since %s.", a.Since.In(zone).Format("2006-01-02 15:04 MST"))
	}
	if a.Next != "" {
		fmt.Fprintf(&b, "\nWhat to do: %s", webhook.Escape(a.Next))
	}
	if a.Counts != (runs.Counts{}) {
		fmt.Fprintf(&b, "\n%s rows on the portal, %s documents: %s new, %s changed, %s removed.",
			humanize.Comma(a.Counts.PortalRows), humanize.Comma(a.Counts.Documents),
			humanize.Comma(a.Counts.Inserted), humanize.Comma(a.Counts.Replaced), humanize.Comma(a.Counts.Removed))
	}
	return webhook.Message{Text: b.String(), Padron: d}
}

// title is a condition in a few words.
func title(a Alert) string {
	switch a.ID {
	case ConditionFailed:
		return "a run failed"
	case ConditionSchema:
		return "the portal's columns do not fit the spec"
	case ConditionNotGreen:
		return "the mirror is not proven to equal the portal"
	case ConditionDamaged:
		return "another hand changed the mirror"
	case ConditionHeld:
		return "removals are held"
	case ConditionDeadline:
		return "a run is late"
	case ConditionStale:
		return "the mirror is stale"
	case ConditionStandstill:
		return "the portal stands still"
	case ConditionBackfill:
		return "a backfill is not complete"
	}
	return string(a.ID)
}
