"""Tools of the house: rules that no linter knows, the test runner, checks that make calls."""
