/** Small pictures of many scenes at once, each in its own place of the page. Scenes do not import this file. */

import { Component, h } from "preact";
import { beginDrawing } from "./determinism.js";

/**
 * Where a scene's picture is, in pixels of the page, and which frame of the scene it shows.
 * @typedef {{ id: string, frame: number, x: number, y: number, width: number, height: number }} Tile
 */

/** One picture. It is drawn again only if what it shows has changed, so that a new scene does not draw all others. */
class Picture extends Component {
  shouldComponentUpdate(next) {
    return next.shown !== this.props.shown;
  }

  render({ content }) {
    beginDrawing(); // the picture is the same as in the film, whatever was drawn before it
    return content();
  }
}

/**
 * Return the elements of all tiles.
 *
 * @param {readonly Tile[]} tiles
 * @param {{ width: number, height: number }} format
 * @param {(tile: Tile) => { shown: string, content: () => object | null }} contentOf what a tile draws, and what that depends on
 */
export function tileElements(tiles, format, contentOf) {
  return tiles.map((tile) => {
    const { x, y, width, height } = tile;
    const box = { position: "absolute", left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px`, overflow: "hidden", background: "#fff" };
    const scale = `scale(${width / format.width}, ${height / format.height})`;
    const scene = { position: "absolute", width: `${format.width}px`, height: `${format.height}px`, overflow: "hidden", transformOrigin: "0 0", transform: scale };
    const { shown, content } = contentOf(tile);
    return h("div", { key: tile.id, style: box }, h("div", { style: scene }, h(Picture, { shown, content })));
  });
}
