import { mount } from '../frame/Frame';
import { Locations } from './Locations';
import './locations.css';

mount(<Locations />);
