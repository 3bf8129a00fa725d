package schedulecmd

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
)

// change is a field of a schedule that is not as the spec says.
type change struct {
	Field string `json:"field"`
	From  string `json:"from"`
	To    string `json:"to"`
}

// fieldsOf lists what apply keeps of a schedule, by name.
func fieldsOf(s *client.Schedule) (map[string]string, error) {
	cron, other := timesOf(s.Spec)
	fields := map[string]string{
		"cron": cron, "times": other,
		"time zone": s.Spec.TimeZoneName,
		"jitter":    s.Spec.Jitter.String(),
	}
	if p := s.Policy; p != nil {
		fields["overlap"], fields["catch up"] = p.Overlap.String(), p.CatchupWindow.String()
		fields["pause on failure"] = fmt.Sprint(p.PauseOnFailure)
	}
	action, ok := s.Action.(*client.ScheduleWorkflowAction)
	if s.Action == nil {
		return fields, nil
	}
	if !ok {
		fields["action"] = "no workflow"
		return fields, nil
	}
	fields["task queue"], fields["workflow id"], fields["summary"] = action.TaskQueue, action.ID, action.StaticSummary
	fields["workflow"] = nameOf(action.Workflow)
	for _, arg := range action.Args {
		data, err := input(arg)
		if err != nil {
			return nil, err
		}
		var values map[string]any
		if err := json.Unmarshal(data, &values); err != nil {
			fields["input"] = string(data)
			continue
		}
		for name, value := range values {
			fields[name] = fmt.Sprint(value)
			if ns, ok := value.(float64); ok && (name == "deadline" || name == "limit") {
				fields[name] = time.Duration(ns).String()
			}
		}
	}
	return fields, nil
}

// nameOf is a workflow's name, given as the SDK takes it: by name or as the
// function.
func nameOf(workflow any) string {
	if name, ok := workflow.(string); ok {
		return name
	}
	full := runtime.FuncForPC(reflect.ValueOf(workflow).Pointer()).Name()
	return full[strings.LastIndexByte(full, '.')+1:]
}

// input is a workflow's input as JSON, given as the SDK takes it: as it is, or
// as Temporal keeps it.
func input(arg any) ([]byte, error) {
	if p, ok := arg.(*commonpb.Payload); ok {
		return p.GetData(), nil
	}
	p, err := converter.GetDefaultDataConverter().ToPayload(arg)
	return p.GetData(), err
}

// differences are the fields in which a schedule is not as it should be, by name.
func differences(is, should *client.Schedule) ([]change, error) {
	from, err := fieldsOf(is)
	if err != nil {
		return nil, err
	}
	to, err := fieldsOf(should)
	if err != nil {
		return nil, err
	}
	names := slices.Concat(slices.Collect(maps.Keys(from)), slices.Collect(maps.Keys(to)))
	slices.Sort(names)
	var all []change
	for _, name := range slices.Compact(names) {
		if from[name] != to[name] {
			all = append(all, change{Field: name, From: orNothing(from[name]), To: orNothing(to[name])})
		}
	}
	return all, nil
}

func orNothing(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}
