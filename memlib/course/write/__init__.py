"""From chapters to notebooks: the builder, the films of the lessons, a class's own editions."""
