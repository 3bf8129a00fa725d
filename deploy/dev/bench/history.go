package bench

import (
	"context"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
)

// execution is one run of a workflow.
type execution struct{ workflow, run string }

// histories reads the history of an execution and of the children that it
// started, its own first.
func histories(ctx context.Context, c client.Client, of execution) ([][]*historypb.HistoryEvent, error) {
	var own []*historypb.HistoryEvent
	events := c.GetWorkflowHistory(ctx, of.workflow, of.run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		if err != nil {
			return nil, fmt.Errorf("read the history of %s: %w", of.workflow, err)
		}
		own = append(own, e)
	}
	all := [][]*historypb.HistoryEvent{own}
	for _, child := range children(own) {
		theirs, err := histories(ctx, c, child)
		if err != nil {
			return nil, err
		}
		all = append(all, theirs...)
	}
	return all, nil
}

// children lists the executions that a history says were started.
func children(events []*historypb.HistoryEvent) []execution {
	var all []execution
	for _, e := range events {
		if a := e.GetChildWorkflowExecutionStartedEventAttributes(); a != nil {
			all = append(all, execution{a.GetWorkflowExecution().GetWorkflowId(), a.GetWorkflowExecution().GetRunId()})
		}
	}
	return all
}

// changeVersion is the search attribute whose upserts are free.
const changeVersion = "TemporalChangeVersion"

// actions counts the billable actions of a history by kind, by Temporal's table
// of actions and the history events that show them
// (https://docs.temporal.io/evaluate/cloud/actions). Heartbeats and queries
// leave no event, and schedules are another workflow's: they are not counted
// here.
func actions(events []*historypb.HistoryEvent) map[string]int {
	count := map[string]int{}
	marked := map[int64]bool{} // workflow tasks that recorded markers
	for _, e := range events {
		switch e.GetEventType() { //nolint:exhaustive // all others are free
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
			// A child's start is counted with its parent.
			if a := e.GetWorkflowExecutionStartedEventAttributes(); a.GetParentInitiatedEventId() == 0 || a.GetContinuedExecutionRunId() != "" {
				count["workflow"]++
			}
		case enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:
			// One for the intent, one for the attempt.
			count["child_workflow"] += 2
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
			count["activity"]++
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED:
			// Attempts between the first and the last leave no events.
			if retries := int(e.GetActivityTaskStartedEventAttributes().GetAttempt()) - 1; retries > 0 {
				count["activity_retry"] += retries
			}
		case enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
			if n := int(e.GetWorkflowTaskCompletedEventAttributes().GetMeteringMetadata().GetNonfirstLocalActivityExecutionAttempts()); n > 0 {
				count["local_activity_retry"] += n
			}
		case enumspb.EVENT_TYPE_MARKER_RECORDED:
			// Local activities, side effects, versions: all of one workflow
			// task together are one.
			if task := e.GetMarkerRecordedEventAttributes().GetWorkflowTaskCompletedEventId(); !marked[task] {
				marked[task] = true
				count["marker"]++
			}
		case enumspb.EVENT_TYPE_TIMER_STARTED:
			count["timer"]++
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
			count["signal"]++
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
			count["update"]++
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED:
			count["options_update"]++
		case enumspb.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES:
			fields := e.GetUpsertWorkflowSearchAttributesEventAttributes().GetSearchAttributes().GetIndexedFields()
			if _, free := fields[changeVersion]; !free || len(fields) > 1 {
				count["search_attributes"]++
			}
		}
	}
	return count
}

// span is the time from a history's first event to its last.
func span(events []*historypb.HistoryEvent) time.Duration {
	if len(events) == 0 {
		return 0
	}
	return events[len(events)-1].GetEventTime().AsTime().Sub(events[0].GetEventTime().AsTime())
}

// activityDone is when the last activity of a type was completed; zero when
// none was.
func activityDone(events []*historypb.HistoryEvent, name string) time.Time {
	scheduled := map[int64]bool{}
	var done time.Time
	for _, e := range events {
		if a := e.GetActivityTaskScheduledEventAttributes(); a.GetActivityType().GetName() == name {
			scheduled[e.GetEventId()] = true
		}
		if a := e.GetActivityTaskCompletedEventAttributes(); a != nil && scheduled[a.GetScheduledEventId()] {
			done = e.GetEventTime().AsTime()
		}
	}
	return done
}

// fastest is the shortest time that an activity of each type took, from its start
// in a worker to its completion, in seconds. Noise only adds to times, so the
// shortest of several is the one to compare.
func fastest(of [][]*historypb.HistoryEvent) map[string]float64 {
	shortest := map[string]float64{}
	for _, events := range of {
		names, begun := map[int64]string{}, map[int64]time.Time{}
		for _, e := range events {
			if a := e.GetActivityTaskScheduledEventAttributes(); a != nil {
				names[e.GetEventId()] = a.GetActivityType().GetName()
			}
			if e.GetActivityTaskStartedEventAttributes() != nil {
				begun[e.GetEventId()] = e.GetEventTime().AsTime()
			}
			a := e.GetActivityTaskCompletedEventAttributes()
			start, known := begun[a.GetStartedEventId()]
			if a == nil || !known {
				continue
			}
			name, took := names[a.GetScheduledEventId()], e.GetEventTime().AsTime().Sub(start).Seconds()
			if least, seen := shortest[name]; !seen || took < least {
				shortest[name] = took
			}
		}
	}
	return shortest
}
