package omconnect

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// newBrokers returns the brokers that connectors can name.
func newBrokers(named map[string]string) *connect.Brokers {
	b := connect.NewBrokers(&oms.Default, named)
	b.Resolve(func(text string) (string, error) { return ownBroker(named, text) })
	return b
}

// ownBroker returns what an access point means beside those that the gateway
// has names for: an embedded one that names no folder, or that of a broker of
// the gateway's, is that broker, however it is written. One with options that
// the broker does not have is refused: it cannot be had as well, and a second
// broker, whose messages nobody gets, is not meant.
func ownBroker(named map[string]string, text string) (string, error) {
	ap, err := oms.ParseAccessPoint(text)
	if err != nil || ap.Driver != embeddedName || oms.Default.CheckAccessPoint(text) != nil {
		return text, nil //nolint:nilerr // what is wrong with it is told by whoever opens it
	}
	dir, given := ap.Options["dir"]
	for _, name := range append([]string{embeddedName}, slices.Sorted(maps.Keys(named))...) {
		own, err := oms.ParseAccessPoint(named[name])
		if err != nil || own.Driver != embeddedName || own.Options["dir"] == "" || given && folderOf(own) != absolute(dir) {
			continue // without a folder: which gateway is meant is not known
		}
		if err := differences(ap.Options, own.Options); err != nil {
			return text, err
		}
		return named[name], nil
	}
	return text, nil
}

// folderOf returns the folder of an embedded broker that the gateway has a
// name for.
func folderOf(ap oms.AccessPoint) string { return absolute(ap.Options["dir"]) }

func absolute(dir string) string {
	if whole, err := filepath.Abs(dir); err == nil {
		return whole
	}
	return dir
}

// differences returns an error for options that a broker of the gateway's does
// not have.
func differences(asked, own oms.KeyValue) error {
	docs, err := oms.Default.Options(embeddedName)
	if err != nil {
		return err
	}
	var ps oms.KeyErrors
	for _, option := range asked.Keys() {
		has, set := own[option]
		if i := slices.IndexFunc(docs, func(d oms.OptionDoc) bool { return d.Name == option }); !set && i >= 0 {
			has = docs[i].Default
		}
		if option == "dir" || asked[option] == has {
			continue
		}
		if has == "" {
			has = "none"
		}
		ps = append(ps, oms.KeyError{Key: option, Problem: fmt.Sprintf("%.100q here, %s there", asked[option], has)})
	}
	if len(ps) == 0 {
		return nil
	}
	return &oms.Error{Op: "find broker", Driver: embeddedName, Code: oms.ErrInvalid, Err: fmt.Errorf(
		"it is the gateway's embedded broker, which has other options (%w): leave them out, or change them where the gateway is told its broker; with another dir it is another broker, and others get nothing of it", ps)}
}
