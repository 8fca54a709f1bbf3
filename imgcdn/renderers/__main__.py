"""The render broker as a program. A separate file, because children load their parent's main module again."""

from imgcdn.renderers.broker import main

if __name__ == "__main__":
    main()
