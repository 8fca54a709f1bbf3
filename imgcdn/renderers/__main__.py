"""The render broker as a program: a file of its own, so that children do not load their parent's main module anew."""

from imgcdn.renderers.broker import main

if __name__ == "__main__":
    main()
