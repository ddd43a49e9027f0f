package oms

// An OptionDoc documents one option of a driver's access points: what stands
// behind the question mark.
type OptionDoc struct {
	Name    string
	Type    OptionType // OptionText if empty
	Default string     // as an access point would have it; "" for none
	Values  []string   // the allowed ones; any if empty
	Doc     string     // what it is for, and what holds where Default is empty
}

// An OptionType says how the value of an option is written.
type OptionType string

// The types of options, named as those of connectors' keys are.
const (
	OptionText   OptionType = "string"
	OptionNumber OptionType = "long"
	OptionSwitch OptionType = "boolean"
	OptionMillis OptionType = "millis" // a whole number of milliseconds
)

// A Described driver documents its options. It is optional, found by type
// assertion on a Driver. Open takes each option that has a default with that
// value, which changes nothing.
type Described interface {
	Options() []OptionDoc
}

// Options returns what the driver of that name says about its options; nothing
// for one that is not Described. An unknown driver is ErrInvalid and names the
// known ones.
func (r *Registry) Options(driver string) ([]OptionDoc, error) {
	d, err := r.driver(AccessPoint{Driver: driver})
	if err != nil {
		return nil, err
	}
	described, ok := d.(Described)
	if !ok {
		return nil, nil
	}
	return described.Options(), nil
}
