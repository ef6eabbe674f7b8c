// The trivial static program of the measurements: it ends at once, successfully.
int main() { return 0; }
