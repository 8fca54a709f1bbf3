"""The tests. A package, not a namespace: a dependency of httplint installs a package named `tests`, too."""
