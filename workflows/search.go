package workflows

import (
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
)

// Search attributes of every run. `starter setup` registers them; a worker that
// finds one missing refuses to start, because an unregistered attribute would
// make each run hang.
var (
	SearchDataset     = temporal.NewSearchAttributeKeyKeyword("PadronDataset")
	SearchOutcome     = temporal.NewSearchAttributeKeyKeyword("PadronOutcome") // green, red, unproven, behind, skipped, failed, cancelled
	SearchRowsChanged = temporal.NewSearchAttributeKeyInt64("PadronRowsChanged")
	SearchLogicalDate = temporal.NewSearchAttributeKeyTime("PadronLogicalDate") // when a scheduled run was due, else when the run started
)

// SearchAttributes lists the search attributes by name with their types.
func SearchAttributes() map[string]enumspb.IndexedValueType {
	return map[string]enumspb.IndexedValueType{
		SearchDataset.GetName():     SearchDataset.GetValueType(),
		SearchOutcome.GetName():     SearchOutcome.GetValueType(),
		SearchRowsChanged.GetName(): SearchRowsChanged.GetValueType(),
		SearchLogicalDate.GetName(): SearchLogicalDate.GetValueType(),
	}
}
