package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"padron/activities"
)

// freshnessDeadline bounds one look at the freshness: the next one comes within
// the hour.
const freshnessDeadline = 30 * time.Minute

// FreshnessInput names the dataset whose mirror is looked at.
type FreshnessInput struct {
	Dataset string        `json:"dataset"`
	Limit   time.Duration `json:"limit"` // how old the last proof may be
}

// FreshnessID is the workflow id of a look at a dataset's freshness.
func FreshnessID(dataset, check string) string { return "freshness/" + dataset + "/" + check }

// Freshness looks whether a run has lately proved that the mirror equals the
// portal, and sends a message when none has. It has a schedule of its own, so
// that it notices when no run starts at all.
func Freshness(ctx workflow.Context, in FreshnessInput) error {
	check := RunID(workflow.GetInfo(ctx).WorkflowExecution.ID)
	var result activities.AlertResult
	err := callWithin(ctx, freshnessDeadline, a.CheckFreshness, "Is the mirror older than "+in.Limit.String()+"?",
		activities.FreshnessInput{Dataset: in.Dataset, Check: check, Limit: in.Limit}, &result)
	if err != nil {
		return failure(err)
	}
	if result.Due {
		_ = tell(ctx, activities.NotifyInput{Dataset: in.Dataset}) // it is logged, and sent with what comes next
	}
	return nil
}
