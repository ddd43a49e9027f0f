package embedded

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/oms"
)

// readers are the functions that read the options of each driver.
var readers = map[string]struct {
	driver Driver
	ap     oms.AccessPoint
	read   func(oms.AccessPoint) (options, error)
}{
	"embeddedOptions": {Driver{}, oms.AccessPoint{Driver: Name}, embeddedOptions},
	"natsOptions":     {Driver{External: true}, oms.AccessPoint{Driver: NATSName, Hosts: []string{"localhost"}}, natsOptions},
}

func TestEveryOptionThatIsReadIsDocumented(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "options.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range readers {
		var documented []string
		for _, o := range r.driver.Options() {
			if o.Doc == "" {
				t.Errorf("%s: %s has no documentation", name, o.Name)
			}
			documented = append(documented, o.Name)
		}
		slices.Sort(documented)
		if diff := cmp.Diff(optionsRead(t, file, name), documented); diff != "" {
			t.Errorf("%s (-read +documented):\n%s", name, diff)
		}
	}
}

// optionsRead returns the names of what a function reads by the methods of its
// reader r, sorted.
func optionsRead(t *testing.T, file *ast.File, function string) (names []string) {
	t.Helper()
	readMethods := []string{"String", "OneOf", "Bool", "Int", "Int64", "Float", "Millis", "List"}
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Name.Name != function {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			method, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || !slices.Contains(readMethods, method.Sel.Name) {
				return true
			}
			if r, ok := method.X.(*ast.Ident); !ok || r.Name != "r" {
				return true
			}
			literal, ok := call.Args[0].(*ast.BasicLit)
			if !ok {
				t.Fatalf("%s reads an option whose name is no literal", function)
			}
			name, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, name)
			return true
		})
	}
	if len(names) == 0 {
		t.Fatalf("%s reads nothing: is the test looking in the right place?", function)
	}
	slices.Sort(names)
	return names
}

func TestEveryDocumentedDefaultIsTheDefault(t *testing.T) {
	t.Parallel()
	for name, r := range readers {
		want, err := r.read(r.ap)
		if err != nil {
			t.Fatal(err)
		}
		given := r.ap
		given.Options = oms.KeyValue{}
		for _, o := range r.driver.Options() {
			if o.Default == "" {
				continue
			}
			given.Options[o.Name] = o.Default
			if len(o.Values) > 0 && o.Values[0] != o.Default {
				t.Errorf("%s: the first value of %s is %s, its default %s", name, o.Name, o.Values[0], o.Default)
			}
		}
		got, err := r.read(given)
		if err != nil {
			t.Errorf("%s refuses a default: %v", name, err)
		}
		if got != want {
			t.Errorf("%s: with every default given the options are %+v, with none %+v", name, got, want)
		}
	}
}

func TestEveryDocumentedValueIsTaken(t *testing.T) {
	t.Parallel()
	for name, r := range readers {
		for _, o := range r.driver.Options() {
			for _, value := range o.Values {
				ap := r.ap
				ap.Options = oms.KeyValue{o.Name: value}
				if _, err := r.read(ap); err != nil {
					t.Errorf("%s refuses %s=%s: %v", name, o.Name, value, err)
				}
			}
		}
	}
}
