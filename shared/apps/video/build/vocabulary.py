"""The names that a scene may import, and those that it may not use."""

from __future__ import annotations

from typing import Final

SCENE_MODULES: Final = frozenset({"@millrace/scene", "remotion"})
"""The modules of the API of scenes. They are one: models know the second name."""

SCENE_NAMES: Final = frozenset(
    {
        *("AbsoluteFill", "Easing", "Freeze", "Img", "Loop", "Sequence", "Series", "component", "interpolate"),
        *("interpolateColors", "measureSpring", "measureText", "random", "spring", "useCurrentFrame", "useVideoConfig"),
    }
)
"""What runtime/scene.js exports."""

REACT_NAMES: Final = frozenset(
    {
        *("Children", "Fragment", "cloneElement", "createElement", "isValidElement", "memo"),
        *("useCallback", "useMemo", "default"),
    }
)
"""What runtime/react.js exports."""

TYPE_NAMES: Final = frozenset(
    {
        *("CSSProperties", "ComponentProps", "ComponentType", "FC", "FunctionComponent", "JSX", "PropsWithChildren"),
        *("ReactElement", "ReactNode", "SVGProps", "VFC"),
    }
)
"""Names of React's types, which the compiler removes."""

STATE_HOOKS: Final = frozenset(
    {
        *("useContext", "useEffect", "useImperativeHandle", "useInsertionEffect", "useLayoutEffect", "useReducer"),
        *("useRef", "useState", "useSyncExternalStore", "useTransition"),
    }
)
"""React's hooks that a function of the frame has no use for."""

CLOCKS: Final = frozenset({"Date", "performance", "requestAnimationFrame", "setInterval", "setTimeout"})
"""Globals that tell or pass time."""

NETWORK: Final = frozenset({"EventSource", "RTCPeerConnection", "WebSocket", "XMLHttpRequest", "fetch"})
"""Globals that reach a network."""

GLOBALS: Final = (
    CLOCKS
    | NETWORK
    | {
        *("Deno", "Function", "Worker", "document", "eval", "globalThis", "importScripts", "indexedDB", "localStorage"),
        *("location", "navigator", "parent", "postMessage", "process", "queueMicrotask", "require", "self"),
        *("sessionStorage", "top", "window", "Atomics", "SharedArrayBuffer", "WebAssembly"),
    }
)
"""Globals that a scene may not use."""

ELEMENTS: Final = {
    "img": "show images of the project with <Img image=…>",
    "image": "show images of the project with <Img image=…>",
    "style": "write styles into the style attribute, and compute what moves from useCurrentFrame()",
    "video": "videos are not available in scenes",
    "audio": "sounds are not available in scenes",
    "canvas": "draw with elements or SVG",
    **dict.fromkeys(
        ("iframe", "script", "object", "embed", "link", "meta", "form", "base", "portal", "frame"),
        "a scene only draws: remove it",
    ),
}
"""Elements that a scene may not use, and what to do instead."""
